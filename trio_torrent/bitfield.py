"""A set of pieces, one bit each, in the order of the wire: the high bit of the first byte is piece 0 (BEP 3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_MASKS = tuple(0x80 >> bit for bit in range(8))


class Bitfield:
    """Which of `size` pieces are in the set.

    Single pieces cost a byte look-up; whole-set questions go through one big integer, which is how Python does
    thousands of bits at once.
    """

    __slots__ = ("_bits", "count", "size")

    size: int
    count: int  # how many pieces are in the set

    def __init__(self, size: int, pieces: Iterable[int] = ()) -> None:
        self.size = size
        self.count = 0
        self._bits = bytearray((size + 7) // 8)
        for piece in pieces:
            self.add(piece)

    @classmethod
    def full(cls, size: int) -> Bitfield:
        """Every piece."""
        return cls.from_bytes(((1 << size) - 1 << -size % 8).to_bytes((size + 7) // 8), size)

    @classmethod
    def from_bytes(cls, data: bytes, size: int) -> Bitfield:
        """Read a bitfield message. ValueError if the length is wrong or a spare bit is set."""
        if len(data) != (size + 7) // 8:
            raise ValueError(f"{len(data)} bytes for {size} pieces")
        if size % 8 and data[-1] & (0xFF >> size % 8):
            raise ValueError("a spare bit is set")
        self = cls.__new__(cls)
        self.size = size
        self.count = int.from_bytes(data).bit_count()
        self._bits = bytearray(data)
        return self

    def __contains__(self, piece: int) -> bool:
        return bool(self._bits[piece >> 3] & _MASKS[piece & 7])

    def __iter__(self) -> Iterator[int]:
        for at, byte in enumerate(self._bits):
            if byte:
                yield from (at * 8 + bit for bit in range(8) if byte & _MASKS[bit])

    def flags(self) -> list[bool]:
        """For each piece whether it is in the set: for going through all of them, some ten times as fast as asking."""
        width = 8 * len(self._bits)
        return [digit == "1" for digit in f"{int.from_bytes(self._bits):0{width}b}"[: self.size]] if width else []

    def __len__(self) -> int:
        return self.count

    def __bytes__(self) -> bytes:
        return bytes(self._bits)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bitfield):
            return NotImplemented
        return self.size == other.size and self._bits == other._bits

    __hash__: None = None  # type: ignore[assignment]  # a mutable set has no hash

    def __repr__(self) -> str:
        return f"<Bitfield {self.count}/{self.size}>"

    @property
    def complete(self) -> bool:
        """Every piece is in the set."""
        return self.count == self.size

    def add(self, piece: int) -> bool:
        """Put a piece in; whether it was new."""
        if piece in self:
            return False
        self._bits[piece >> 3] |= _MASKS[piece & 7]
        self.count += 1
        return True

    def discard(self, piece: int) -> bool:
        """Take a piece out; whether it was there."""
        if piece not in self:
            return False
        self._bits[piece >> 3] &= ~_MASKS[piece & 7]
        self.count -= 1
        return True

    def __sub__(self, other: Bitfield) -> Bitfield:
        """The pieces that are in this set and not in the other."""
        bits = int.from_bytes(self._bits) & ~int.from_bytes(other._bits)
        return Bitfield.from_bytes(bits.to_bytes(len(self._bits)), self.size)

    def common(self, other: Bitfield, *, start: int = 0, limit: int = 1) -> list[int]:
        """Up to `limit` pieces that both sets have: those from `start` on come first, then those before it.

        Each costs some operations on integers of as many bits as there are pieces, and so does finding none.
        """
        bits = int.from_bytes(self._bits) & int.from_bytes(other._bits)
        if not bits:
            return []
        width = 8 * len(self._bits)
        beyond = bits & ((1 << (width - start)) - 1)
        found: list[int] = []
        for part in (beyond, bits ^ beyond):
            while part and len(found) < limit:
                place = part.bit_length()
                found.append(width - place)
                part ^= 1 << (place - 1)
        return found
