"""How long each piece and each block of a torrent is.

Pieces tile one address space. In v1 it is all files end to end, so only the last piece is short (BEP 3). In v2 each
file begins on a piece boundary, so the last piece of each file is short and the gap after it is nobody's (BEP 52).
A hybrid fills its gaps with padding files and so has the shape of v1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

BLOCK_SIZE = 16384  # bytes: what one request asks for, and a leaf of v2's hash trees
MAX_PIECES = 0x20_0000  # libtorrent's limit too; a bitfield of 256 KiB
MAX_PIECE_LENGTH = (512 << 20) - BLOCK_SIZE  # bytes; libtorrent's limit


@attrs.frozen
class Geometry:
    """The sizes of a torrent's pieces. Piece and block numbers are not checked: that is for who takes them in."""

    piece_length: int  # bytes of a piece that is not short
    pieces: int
    size: int  # bytes, as a person would count: without padding
    span: int  # bytes of the address space: with padding, without a gap at the end
    _short: Mapping[int, int] = attrs.field(hash=False, repr=False)  # piece -> bytes, where less than piece_length
    _content: Mapping[int, int] = attrs.field(factory=dict, hash=False, repr=False)  # likewise, before padding

    @classmethod
    def contiguous(cls, piece_length: int, span: int, *, padding: Iterable[tuple[int, int]] = ()) -> Geometry:
        """v1 and hybrid: files end to end, those of `padding` (offset and length) being nothing but padding."""
        pieces, rest = divmod(span, piece_length)
        short = {pieces: rest} if rest else {}
        size, content = span, {}
        for offset, length in padding:
            size -= length
            piece, before = divmod(offset, piece_length)
            if before and offset + length == min((piece + 1) * piece_length, span):
                content[piece] = before
        return cls(piece_length, pieces + len(short), size, span, short, content)

    @classmethod
    def aligned(cls, piece_length: int, lengths: Iterable[int]) -> Geometry:
        """Pure v2: each file of these lengths begins on a piece boundary."""
        pieces = size = span = 0
        short = {}
        for length in filter(None, lengths):
            whole, rest = divmod(length, piece_length)
            size += length
            span = pieces * piece_length + length
            pieces += whole
            if rest:
                short[pieces] = rest
                pieces += 1
        return cls(piece_length, pieces, size, span, short)

    def piece_size(self, piece: int) -> int:
        """Bytes in a piece."""
        return self._short.get(piece, self.piece_length)

    def content_size(self, piece: int) -> int:
        """Bytes in a piece before the padding file that fills it up, if there is one: the rest is zeros (BEP 47)."""
        return self._content.get(piece) or self.piece_size(piece)

    def piece_start(self, piece: int) -> int:
        """Where a piece begins, in bytes from the start of the address space."""
        return piece * self.piece_length

    def block_count(self, piece: int) -> int:
        """Blocks in a piece."""
        return -(-self._short.get(piece, self.piece_length) // BLOCK_SIZE)

    def block_size(self, piece: int, block: int) -> int:
        """Bytes in a block: 16 KiB but for the last of a piece."""
        rest = self._short.get(piece, self.piece_length) - block * BLOCK_SIZE
        return rest if rest < BLOCK_SIZE else BLOCK_SIZE
