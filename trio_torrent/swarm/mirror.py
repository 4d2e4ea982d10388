"""Where others see us, as they say: nobody is trusted alone, so they vote.

The order in which peers prefer each other is that of both addresses (BEP 40), and ours is what a router makes of it.
Peers tell us how they see us (`yourip`, BEP 10), so do trackers (`external ip`, BEP 24), and the DHT has elected one
for itself (BEP 42). A liar who is believed gains nothing but that we prefer another's favourites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from trio_torrent.address import Address, ip_of, is_local, site

# The latest opinions of each family that are kept and count: our address may change, and strangers are many.
VOTES = 32

# So many must agree, and be more than half: a tracker, a peer and the DHT, or three peers. libtorrent, too, wants more
# than one voice, and none to be heard twice.
QUORUM = 3


class Mirror:
    """One for all torrents of a client. `known` is certain, and needs no vote; `port` is where peers reach us."""

    def __init__(self, port: int = 0, known: Iterable[Address] = ()) -> None:
        self._port = port
        self._certain = {ip.version: address for address in known if (ip := ip_of(address.host)) is not None}
        self._votes: dict[int, dict[str, str]] = {4: {}, 6: {}}  # by the voter, the latest last
        self._elected: dict[int, Address] = {}

    @property
    def addresses(self) -> tuple[Address, ...]:
        """At most one of each family."""
        return tuple((self._elected | self._certain).values())

    def told(self, voter: str, ours: str | IPv4Address | IPv6Address) -> None:
        """Somebody at a host sees us at this address. Of a household, one voice counts, and the last that it gave.

        Who is near does not see what the world sees, and nobody sees an IPv6 address over IPv4.
        """
        ip = ip_of(str(ours))
        if ip is None or not _may_see(voter, ip):
            return
        votes = self._votes[ip.version]
        votes.pop(site(voter), None)
        votes[site(voter)] = str(ip)
        if len(votes) > VOTES:
            del votes[next(iter(votes))]
        host, agree = Counter(votes.values()).most_common(1)[0]
        if agree >= QUORUM and agree * 2 > len(votes):
            self._elected[ip.version] = Address(host, self._port)


def _may_see(voter: str, ours: IPv4Address | IPv6Address) -> bool:
    """A name may have addresses of both families."""
    theirs = ip_of(voter)
    possible = ours.is_global and not ours.is_multicast
    return possible and (theirs is None or (theirs.version == ours.version and not is_local(voter)))
