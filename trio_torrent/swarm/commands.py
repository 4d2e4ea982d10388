"""All that the scheduler can ask for. Each is carried out at once, in order, and without waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from trio_torrent.address import Address
from trio_torrent.metainfo.trees import Tree
from trio_torrent.wire.messages import HashRequest, Message, Request
from trio_torrent.wire.ut_metadata import MetadataData

from .events import PeerId


@attrs.frozen
class Dial:
    """Connect to this address. The answer is `Joined` or `DialFailed`.

    It has so many seconds to take the connection, and as many again to shake hands.
    """

    address: Address
    seconds: float


@attrs.frozen
class Drop:
    """End the connection. The scheduler has forgotten the peer already; `for_good` if it is not to come again."""

    peer: PeerId
    reason: str
    for_good: bool = False


@attrs.frozen
class Send:
    """Say this to the peer."""

    peer: PeerId
    messages: tuple[Message, ...]


@attrs.frozen
class Ask:
    """Request these blocks, and let them land in their pieces' buffers.

    Without `lend` they come with data of their own: somebody else has been lent their places.
    """

    peer: PeerId
    requests: tuple[Request, ...]
    lend: bool = True


@attrs.frozen
class Withdraw:
    """Take back the places that were lent for these requests; and cancel them, if it is of use to tell the peer."""

    peer: PeerId
    requests: tuple[Request, ...]
    tell: bool = True


@attrs.frozen
class Keep:
    """Put a block that came with data of its own into its piece's buffer."""

    piece: int
    offset: int
    data: bytes | memoryview = attrs.field(repr=False)


@attrs.frozen
class Verify:
    """Every block of the piece is in its buffer: compare it with the torrent, and write it if it is right.

    The answer is `PieceVerified` or `PieceFailed`; `digests` asks for those of the blocks in either case.
    """

    piece: int
    digests: bool = False


@attrs.frozen
class Discard:
    """What came of the piece is of no use; it will be fetched anew."""

    piece: int


@attrs.frozen
class Serve:
    """Send these blocks to the peer."""

    peer: PeerId
    requests: tuple[Request, ...]


@attrs.frozen
class Unserve:
    """Do not send these blocks, if they are not on their way yet; None means all."""

    peer: PeerId
    requests: tuple[Request, ...] | None = None


@attrs.frozen
class ServeHashes:
    """Send a part of a file's hash tree to the peer, after the blocks that wait. The answer is `HashesServed`."""

    peer: PeerId
    request: HashRequest
    tree: Tree


@attrs.frozen
class ServeMetadata:
    """Send a piece of the info dictionary to the peer, as an extended message of this number, when it can be sent."""

    peer: PeerId
    number: int
    data: MetadataData


@attrs.frozen
class CompleteLayers:
    """The piece layers that were missing, by their files' roots, each proven: the torrent can be completed by them.

    The answer is `Released` for the pieces that could not be verified without.
    """

    layers: Mapping[bytes, bytes] = attrs.field(repr=False)


@attrs.frozen
class AddNode:
    """A peer says that it has a DHT node there (BEP 5)."""

    address: Address


@attrs.frozen
class Finish:
    """Every piece that is wanted is verified; said again when more was wanted meanwhile."""


Command: TypeAlias = (
    Dial
    | Drop
    | Send
    | Ask
    | Withdraw
    | Keep
    | Verify
    | Discard
    | Serve
    | Unserve
    | ServeHashes
    | ServeMetadata
    | CompleteLayers
    | AddNode
    | Finish
)
