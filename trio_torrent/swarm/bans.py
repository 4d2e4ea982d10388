"""Who sent the bad block.

A wrong piece with one giver convicts it at once. With several, nobody can be blamed yet: an honest peer's blocks may be
in it. So what each of them sent is remembered as a digest, and the piece is fetched again from one peer alone. When it
comes out right, whoever's digest differs from the right block's lied, exactly; when it comes out wrong again, its only
giver did. An honest peer is never convicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from trio_torrent.address import Address, is_local, site
from trio_torrent.metainfo.geometry import BLOCK_SIZE

# Wrong pieces whose blocks are remembered; each costs 20 or 32 bytes a block. Past that the swarm is mostly liars, and
# the second fetch convicts them one by one.
MOST_SUSPICIONS = 64

# Liars of one public host, after which nobody is let in from there: they would come back from another port for ever.
# Whoever is honest there can still be dialled.
MOST_LIARS = 4


class Bans:
    """Addresses that lied, and what is held against whom.

    An address is a host with its port: many honest people may share a host with one liar.
    """

    def __init__(self) -> None:
        self.banned: set[Address] = set()
        self._sites: Counter[str] = Counter()
        self._suspicions: dict[int, list[tuple[int, bytes, Address]]] = {}  # piece: (block, digest, giver)

    def wrong(self, piece: int, givers: Mapping[int, Address], digests: Sequence[bytes]) -> frozenset[Address]:
        """The piece, whose blocks by offset came from these addresses, is wrong: those whom this convicts."""
        everyone = frozenset(givers.values())
        if len(everyone) == 1:
            return self.convict(everyone)
        if len(self._suspicions) < MOST_SUSPICIONS or piece in self._suspicions:
            blocks = ((offset // BLOCK_SIZE, giver) for offset, giver in givers.items())
            self._suspicions.setdefault(piece, []).extend((block, digests[block], giver) for block, giver in blocks)
        return frozenset()

    def right(self, piece: int, digests: Sequence[bytes]) -> frozenset[Address]:
        """The piece is right now, with these digests: those whose earlier blocks differ."""
        suspicions = self._suspicions.pop(piece, [])
        return self.convict(frozenset(giver for block, digest, giver in suspicions if digests[block] != digest))

    def suspects(self, piece: int) -> bool:
        """The piece was wrong, and somebody of several is to blame."""
        return piece in self._suspicions

    def refuses(self, address: Address) -> bool:
        """Whether somebody who comes in from this address is not let in."""
        return address in self.banned or self._sites[site(address.host)] >= MOST_LIARS

    def convict(self, liars: frozenset[Address]) -> frozenset[Address]:
        """These lied."""
        self._sites.update(site(liar.host) for liar in liars - self.banned if not is_local(liar.host))
        self.banned |= liars
        return liars
