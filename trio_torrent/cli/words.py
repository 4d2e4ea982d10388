"""Sizes, times and strangers' text as people read them. Plain functions of values."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400

HEX_BYTES = 16  # of a bitfield or block that are shown: enough to tell ELF from zeros, and one line of 80 columns


def clean(text: str) -> str:
    """Text from a stranger, safe for a terminal: what is not printable, such as escape sequences, is replaced."""
    return "".join([character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text])


def size(count: float) -> str:
    """Bytes: `512 B`, `12.3 MiB`."""
    if count < 1024:
        return f"{int(count)} B"
    power = 1
    while count >= 1023.95 * 1024**power and power < len(_UNITS):  # what would be rounded to 1024.0
        power += 1
    return f"{count / 1024**power:.1f} {_UNITS[power - 1]}"


def rate(per_second: float) -> str:
    """Bytes a second."""
    return f"{size(per_second)}/s"


def duration(seconds: float) -> str:
    """Seconds as people say them: `40 ms`, `3.4 s`, `31 s`, `5 min 02 s`, `2 h 05 min`, `3 d 04 h`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


def percent(done: int, total: int) -> str:
    """One decimal, rounded down, so that 100.0% is said of what is complete only."""
    thousandths = done * 1000 // total if total else 1000
    return f"{thousandths // 10}.{thousandths % 10}%"


def plural(count: int, noun: str) -> str:
    """`1 peer`, `2 peers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def hex_start(data: bytes) -> str:
    """The first bytes in hexadecimal, with an ellipsis if there are more."""
    return data[:HEX_BYTES].hex() + ("…" if len(data) > HEX_BYTES else "")


def readable(data: bytes) -> str:
    r"""Bytes as text: printable ASCII as it is, all else, quotes and backslashes as `\x00`."""
    return "".join([chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in data])
