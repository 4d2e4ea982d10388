"""Which peers to tell of which, and what to believe of what they tell (BEP 11).

Each peer is told, once a minute, of those who have come and those who have gone since it was told last: what it knows
from us is kept, and compared with how things are. Somebody who came and went in between is never mentioned.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from trio_torrent.address import Address, is_local
from trio_torrent.wire.ut_pex import MOST_CONTACTS, Contact, PeerExchange, decode_pex

from .events import PeerId

SOURCE = "pex"
"""What addresses from there are said to come from."""

INTERVAL_SECONDS = 60.0  # between two messages to a peer (BEP 11)

# The first message waits until those who came at the same time have come: what is said a moment later costs a minute.
FIRST_SECONDS = 5.0

# Added and dropped in one message (BEP 11).
MOST_TOLD = 50

# Clients' clocks tick differently; what comes more often is not read.
EARLIEST_SECONDS = 45.0


@attrs.define(eq=False)
class _Listener:
    """A peer that speaks of peers."""

    next_at: float
    told: dict[Address, None] = attrs.field(factory=dict)
    unread_until: float = 0.0


class Pex:
    """The gossip of one torrent. Private torrents have none (BEP 27)."""

    def __init__(self) -> None:
        self._listeners: dict[PeerId, _Listener] = {}

    def joined(self, peer: PeerId, now: float) -> None:
        """The peer speaks the extension; said again, it changes nothing."""
        if peer not in self._listeners:
            self._listeners[peer] = _Listener(now + FIRST_SECONDS)

    def left(self, peer: PeerId) -> None:
        """The peer is gone."""
        self._listeners.pop(peer, None)

    # -- telling -----------------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[PeerId]:
        """Whose minute is over."""
        return [peer for peer, listener in self._listeners.items() if now >= listener.next_at]

    def news(self, peer: PeerId, where: Address, contacts: Mapping[PeerId, Contact], now: float) -> PeerExchange | None:
        """What to tell a peer at this address now; None if there is nothing new, and then it is due again soon.

        `contacts` are all who are connected and can be reached, the peer itself perhaps among them.
        """
        listener = self._listeners[peer]
        here = {
            contact.address: contact
            for other, contact in contacts.items()
            if other != peer and contact.address != where and _may_hear(where, contact.address)
        }
        added = [contact for address, contact in here.items() if address not in listener.told][:MOST_TOLD]
        dropped = [address for address in listener.told if address not in here][:MOST_TOLD]
        if not added and not dropped:
            listener.next_at = now + FIRST_SECONDS
            return None
        listener.next_at = now + INTERVAL_SECONDS
        for address in dropped:
            del listener.told[address]
        listener.told.update(dict.fromkeys(contact.address for contact in added))
        return PeerExchange(tuple(added), tuple(dropped))

    # -- listening ---------------------------------------------------------------------------------------------------

    def heard(self, peer: PeerId, teller: Address, payload: bytes, now: float) -> tuple[Address, ...]:
        """The addresses in a peer's message that may be worth dialling. None of one that comes too early."""
        self.joined(peer, now)
        listener = self._listeners[peer]
        if now < listener.unread_until:
            return ()
        listener.unread_until = now + EARLIEST_SECONDS
        message = decode_pex(payload)
        return () if message is None else _believable(message, teller)


def _believable(message: PeerExchange, teller: Address) -> tuple[Address, ...]:
    """One of each host of the Internet, since whoever names many ports of one wants us to knock at them."""
    found: dict[str | Address, Address] = {}
    for contact in message.added:
        address = contact.address
        if _may_hear(teller, address):
            found.setdefault(address if is_local(address.host) else address.host, address)
    return tuple(found.values())[: 2 * MOST_CONTACTS]


def _may_hear(one: Address, of: Address) -> bool:
    """Addresses of a local network are of use in it only, and nobody outside should direct us to them."""
    return is_local(one.host) or not is_local(of.host)
