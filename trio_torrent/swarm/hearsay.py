"""What a peer says of its pieces before anybody knows what there is.

By a link alone, nobody knows how many pieces a torrent has. Peers speak of theirs all the same, once, at the very
beginning. So it is kept, as little of it as will say the same, and said again when it can be understood.
"""

from __future__ import annotations

from trio_torrent.bitfield import Bitfield
from trio_torrent.errors import ProtocolError
from trio_torrent.wire import messages as wire

# Single pieces that are kept, 100 bytes each. A peer gains one in a second or so, and allows a dozen (BEP 6).
MOST_PIECES = 4096


class Hearsay:
    """One peer's words."""

    def __init__(self) -> None:
        self._opening: wire.Bitfield | wire.HaveAll | wire.HaveNone | None = None
        self._pieces: dict[wire.Have | wire.AllowedFast, None] = {}
        self._latest: dict[str, wire.Message] = {}  # of what is said again and again, only the last counts

    def hear(self, message: wire.Message) -> None:
        """Keep what is worth keeping. ProtocolError if it is too much."""
        match message:
            case wire.Bitfield() | wire.HaveAll() | wire.HaveNone():
                self._opening = message
                self._pieces = {said: None for said in self._pieces if isinstance(said, wire.AllowedFast)}
            case wire.Have() | wire.AllowedFast():
                self._pieces[message] = None
                if len(self._pieces) > MOST_PIECES:
                    raise ProtocolError("speaks of too many pieces before we know what there is")
            case wire.Choke() | wire.Unchoke():
                self._latest["choke"] = message
            case wire.Interested() | wire.NotInterested():
                self._latest["interest"] = message
            case wire.Port():
                self._latest["port"] = message
            case _:
                pass  # requests, which a peer that is choked should not make; and what has no lasting meaning

    @property
    def has_pieces(self) -> bool:
        """It has something."""
        match self._opening:
            case wire.Bitfield(bits) if any(bits):
                return True
            case wire.HaveAll():
                return True
            case _:
                return any(isinstance(said, wire.Have) for said in self._pieces)

    def messages(self, pieces: int) -> tuple[wire.Message, ...]:
        """All of it, now that it is known how many pieces there are. ProtocolError if it does not fit."""
        if any(said.piece >= pieces for said in self._pieces):
            raise ProtocolError(f"spoke of pieces that are not among the {pieces}")
        if isinstance(self._opening, wire.Bitfield):
            try:
                Bitfield.from_bytes(self._opening.bits, pieces)
            except ValueError as problem:
                raise ProtocolError(f"a bad bitfield: {problem}") from None
        opening = () if self._opening is None else (self._opening,)
        return (*opening, *self._pieces, *self._latest.values())
