"""Reading a decoded dictionary field by field: a wrong type is one line that names the field, a tolerance is a note."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from trio_torrent.bencode import Value
from trio_torrent.errors import MetainfoError

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and newline: they would command a terminal

MAX_NOTES = 50  # kept for a torrent; a hundred thousand odd names are told by the first of them


class Notes:
    """What was wrong with a torrent but tolerated, in words. Each is kept once."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._left_out = 0

    def add(self, text: str) -> None:
        """Note it, unless it is known or there are enough."""
        if text in self._texts:
            return
        if len(self._texts) < MAX_NOTES:
            self._texts[text] = None
        else:
            self._left_out += 1

    def texts(self) -> tuple[str, ...]:
        """The notes, in the order they were made."""
        more = (f"and {self._left_out} more",) if self._left_out else ()
        return (*self._texts, *more)


@attrs.frozen
class Fields:
    """A dictionary of the torrent, and what to call it in messages.

    `require_…` raise MetainfoError where a field is missing or unusable; the others note that and give a default.
    """

    values: dict[bytes, Value]
    where: str  # "" for the torrent itself, "info", "info.files[3]"
    notes: Notes

    def name(self, key: bytes) -> str:
        """The field's name in a message."""
        return f"{self.where}.{key.decode()}" if self.where else key.decode()

    def require_int(self, key: bytes, low: int, high: int) -> int:
        """An integer from `low` to `high`."""
        value = self.values.get(key)
        if value is None:
            raise MetainfoError(f"{self.name(key)} is missing")
        if not isinstance(value, int):
            raise MetainfoError(f"{self.name(key)} is not an integer")
        if not low <= value <= high:
            shown = str(value) if abs(value) < 1 << 64 else "a huge number"
            raise MetainfoError(f"{self.name(key)} is {shown}, not from {low} to {high}")
        return value

    def require_bytes(self, key: bytes) -> bytes:
        """A string."""
        value = self.values.get(key)
        if value is None:
            raise MetainfoError(f"{self.name(key)} is missing")
        if not isinstance(value, bytes):
            raise MetainfoError(f"{self.name(key)} is not a string")
        return value

    def require_dict(self, key: bytes) -> Fields:
        """A dictionary."""
        value = self.values.get(key)
        if value is None:
            raise MetainfoError(f"{self.name(key)} is missing")
        if not isinstance(value, dict):
            raise MetainfoError(f"{self.name(key)} is not a dictionary")
        return Fields(value, self.name(key), self.notes)

    def integer(self, key: bytes) -> int | None:
        """An integer, or None."""
        value = self.values.get(key)
        if value is None or isinstance(value, int):
            return value
        self.notes.add(f"{self.name(key)} is not an integer: left out")
        return None

    def text(self, key: bytes) -> str:
        """UTF-8 text without control characters; "" if there is none. The field's `.utf-8` twin comes first."""
        for value in (self.values.get(key + b".utf-8"), self.values.get(key)):
            if isinstance(value, bytes) and value:
                return _CONTROL.sub("\ufffd", value.decode(errors="replace").replace("\r\n", "\n"))
            if value is not None and value != b"":
                self.notes.add(f"{self.name(key)} is not a string: left out")
        return ""

    def items(self, key: bytes) -> Sequence[Value]:
        """The items of a list; none if it is missing or no list."""
        value = self.values.get(key, [])
        if isinstance(value, list):
            return value
        self.notes.add(f"{self.name(key)} is not a list: left out")
        return []


def fields_of(value: Value, where: str, notes: Notes) -> Fields:
    """A dictionary that is an item of a list. Raises MetainfoError if it is none."""
    if not isinstance(value, dict):
        raise MetainfoError(f"{where} is not a dictionary")
    return Fields(value, where, notes)
