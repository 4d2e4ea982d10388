"""How a node behaves."""

from __future__ import annotations

import attrs

from trio_torrent.address import Address

ROUTERS = (  # whom to ask when nobody is known; those that other clients ask
    Address("dht.libtorrent.org", 25401),
    Address("router.bittorrent.com", 6881),
    Address("dht.transmissionbt.com", 6881),
    Address("router.utorrent.com", 6881),
)

ANSWER_RATE = 8000.0  # bytes a second of answers (libtorrent's dht_upload_rate_limit)
MESSAGE_RATE = 5.0  # messages a second from one address (libtorrent's dht_block_ratelimit)


@attrs.frozen(kw_only=True)
class Options:
    """What a program may want otherwise."""

    allow_local: bool = False
    """Nodes on this machine and on local networks, several of them at one address."""

    read_only: bool = False
    """Ask, but answer nothing: for who cannot be reached, or pays by the byte (BEP 43)."""

    answer_rate: float = ANSWER_RATE
    """Bytes a second that others are answered, all together."""

    message_rate: float = MESSAGE_RATE
    """Messages a second, averaged over ten, beyond which an address is ignored for five minutes."""
