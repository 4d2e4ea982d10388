"""Bencode (BEP 3), the one door: torrents, trackers, extension messages and our own state all pass here.

Two decoders stand behind it. fastbencode reads the canonical encoding at the speed of compiled code. It refuses
unsorted and repeated keys, leading zeros and trailing bytes, all of which real torrents and trackers send and other
clients take. What it refuses is read again by the decoder in this file, which takes those and knows where values end.

Everything raises BencodeError and nothing else. Every caller says how deep its input may nest.
"""

from __future__ import annotations

from itertools import islice
from types import BuiltinFunctionType
from typing import TypeAlias

import fastbencode

from .errors import BencodeError

_fast_decode = fastbencode.bdecode  # type: ignore[attr-defined]  # it is typed, but its re-exports are implicit
_fast_encode = fastbencode.bencode  # type: ignore[attr-defined]
if not isinstance(_fast_decode, BuiltinFunctionType):
    # The package falls back to Python code that never returns from `d-70:...`: one packet would hang the client.
    raise RuntimeError(
        "fastbencode is installed without its compiled module: reinstall it from a wheel, or with a Rust"
        " toolchain (pip install --force-reinstall 'fastbencode>=0.3.11')"
    )

Value: TypeAlias = "int | bytes | list[Value] | dict[bytes, Value]"
Buffer: TypeAlias = bytes | bytearray | memoryview

MAX_TOKENS = 3_000_000  # values and keys in one input; libtorrent's limit. They cost up to 40 times their length
MAX_DIGITS = 4300  # of an integer: CPython's own limit, so fastbencode's too; beyond it, reading is quadratic
MAX_LENGTH_DIGITS = 20  # of a string's length: any length that fits in memory, with room for leading zeros


def decode(data: Buffer, *, max_depth: int, max_tokens: int = MAX_TOKENS, allow_trailing: bool = False) -> Value:
    """Read one value from the whole of `data`.

    Keys may be unsorted. Where a key is repeated its last value counts, as when keys are assigned to a dict one by
    one. `max_depth` is how many lists and dictionaries may be open at once; bytes after the value are an error unless
    `allow_trailing`. Raises BencodeError.
    """
    return _read(bytes(data), max_depth, max_tokens, allow_trailing)[0]


def decode_prefix(data: Buffer, *, max_depth: int, max_tokens: int = MAX_TOKENS) -> tuple[Value, int]:
    """Read the value that `data` begins with, and where it ends (BEP 9: a dictionary, then raw bytes)."""
    value, marks = _decode(bytes(data), max_depth, max_tokens)
    return value, marks[-1]


def decode_with_span(
    data: Buffer, key: bytes, *, max_depth: int, max_tokens: int = MAX_TOKENS, allow_trailing: bool = False
) -> tuple[Value, slice | None]:
    """Like `decode`, and where in `data` the value of the outermost dictionary's `key` is.

    An info-hash is taken over these very bytes: encoding the value again would hide what was unsorted or repeated.
    The slice is None where there is no such key.
    """
    data = bytes(data)
    value, marks = _read(data, max_depth, max_tokens, allow_trailing)
    if not isinstance(value, dict) or key not in value:
        return value, None
    span = _marked_span(data, marks, key) if marks else _canonical_span(value, key, len(data))
    return value, span


def encode(value: Value) -> bytes:
    """The canonical encoding, keys sorted. Raises BencodeError on what bencode has no form for, such as str or None."""
    try:
        encoded: bytes = _fast_encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BencodeError(f"cannot be encoded: {error}") from error
    return encoded


def _read(data: bytes, max_depth: int, max_tokens: int, allow_trailing: bool) -> tuple[Value, list[int]]:
    """Read by whichever decoder takes it. Also the marks that `_decode` gives; none where it was canonical."""
    if data.count(b"e") + data.count(b":") <= max_tokens:  # each token has one of these, strings may have more
        try:
            return _fast_decode(data, max_depth=max_depth), []
        except (ValueError, RecursionError):
            pass  # not canonical, or not bencode: the decoder below takes the former and says what is wrong
    value, marks = _decode(data, max_depth, max_tokens)
    if marks[-1] != len(data) and not allow_trailing:
        raise BencodeError(f"{len(data) - marks[-1]} bytes after the end, at byte {marks[-1]}")
    return value, marks


def _canonical_span(value: dict[bytes, Value], key: bytes, end: int) -> slice:
    """Where the key's value is in a canonical dictionary: what is before and after it has only one possible length."""
    before = sum(_item_length(k, v) for k, v in value.items() if k < key)
    after = sum(_item_length(k, v) for k, v in value.items() if k > key)
    return slice(len(b"d") + before + _string_length(key), end - after - len(b"e"))


def _item_length(key: bytes, value: Value) -> int:
    return _string_length(key) + (_string_length(value) if isinstance(value, bytes) else len(encode(value)))


def _string_length(text: bytes) -> int:
    return len(str(len(text))) + len(b":") + len(text)


def _marked_span(data: bytes, marks: list[int], key: bytes) -> slice | None:
    """Where the last value of the key is: `marks` are the ends of keys and values in turn."""
    span = None
    start = len(b"d")
    for key_end, value_end in zip(islice(marks, 0, None, 2), islice(marks, 1, None, 2), strict=False):
        if _string(data, start)[0] == key:
            span = slice(key_end, value_end)
        start = value_end
    return span


def _decode(data: bytes, max_depth: int, max_tokens: int) -> tuple[Value, list[int]]:
    """Read one value. Also the ends of the outermost container's items, and of the whole at last.

    It keeps its own stack, so depth costs no recursion. A dictionary is collected as a list of keys and values in
    turn, and made when it closes.
    """
    marks: list[int] = []
    open_items: list[list[Value]] = []
    open_kinds = bytearray()  # b"l" or b"d" for each of them
    at = tokens = 0
    while tokens < max_tokens:
        head = data[at : at + 1]
        if head in (b"l", b"d"):
            if len(open_items) >= max_depth:
                raise BencodeError(f"nested deeper than {max_depth}, at byte {at}")
            open_items.append([])
            open_kinds += head
            at += 1
            continue
        value: Value
        if head == b"e" and open_items:
            value = _close(open_kinds.pop(), open_items.pop(), at)
            at += 1
        elif head == b"i":
            value, at = _integer(data, at)
        else:
            value, at = _string(data, at)
        tokens += 1
        if len(open_items) <= 1:
            marks.append(at)
        if not open_items:
            return value, marks
        open_items[-1].append(value)
    raise BencodeError(f"more than {max_tokens} values")


def _close(kind: int, items: list[Value], at: int) -> Value:
    if kind == ord("l"):
        return items
    keys = items[::2]
    if len(items) % 2:
        raise BencodeError(f"a key without a value, at byte {at}")
    if not all(type(key) is bytes for key in keys):
        raise BencodeError(f"a key that is not a string, in the dictionary that ends at byte {at}")
    return dict(zip(keys, items[1::2], strict=True))  # type: ignore[arg-type]  # they are bytes, as just checked


def _integer(data: bytes, at: int) -> tuple[int, int]:
    end = data.find(b"e", at, at + MAX_DIGITS + 3)
    digits = data[at + 1 : end] if end > 0 else b""
    if not digits.removeprefix(b"-").isdigit() or len(digits.removeprefix(b"-")) > MAX_DIGITS:
        raise BencodeError(f"not an integer, at byte {at}")
    return int(digits), end + 1


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    colon = data.find(b":", at, at + MAX_LENGTH_DIGITS + 1)
    digits = data[at:colon] if colon > 0 else b""
    if not digits.isdigit():
        raise BencodeError(f"not a value, at byte {at}" if at < len(data) else f"ends early, at byte {at}")
    end = colon + 1 + int(digits)
    if end > len(data):
        raise BencodeError(f"a string longer than the input, at byte {at}")
    return data[colon + 1 : end], end
