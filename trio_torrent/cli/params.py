"""What people write after an option: sizes, durations, addresses, URLs.

What is needed for one kind of them only is imported when there is one: `--help` waits for nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from trio_torrent import Address

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # older versions of click have no arguments for it

_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZES |= {f"{unit}IB": size for unit, size in _SIZES.items() if unit}  # as we write them ourselves
_DURATIONS = {"": 1, "S": 1, "M": 60, "H": 3600}

SHORTEST_PIECE = 16 << 10  # bytes; a leaf of v2's hash trees, and what one request asks for
LONGEST_PIECE = 256 << 20  # bytes; the largest power of two that libtorrent takes

MAX_PORT = 65535
MAX_URL = 2048  # characters; clients leave out what is longer
TRACKER_SCHEMES = ("http", "https", "udp", "ws", "wss")
WEB_SEED_SCHEMES = ("http", "https")


class Written(ParamType):
    """A type by the function that reads it, which raises ValueError with what is wrong."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """What is not text has been read before."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Place(click.Path):
    """A path, as a `Path`."""

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Checked as click does it."""
        from pathlib import Path

        return Path(os.fsdecode(super().convert(value, param, ctx)))


def read_size(text: str) -> int:
    """Bytes, at least 1, with K, M or G for powers of 1024."""
    size = int(_scaled(text, _SIZES) or 0)
    if size < 1:
        raise ValueError(f"{text!r} is not a size: write bytes, or 512K, 256M, 2G")
    return size


def read_rate(text: str) -> int | None:
    """Bytes a second, with K, M or G; 0 is no limit, and None."""
    scaled = _scaled(text, _SIZES)
    if scaled is None or 0 < scaled < 1:
        raise ValueError(f"{text!r} is not a rate: write bytes a second, or 500K, 2M; 0 is no limit")
    return int(scaled) or None


def read_duration(text: str) -> float:
    """Seconds, with s, m or h."""
    seconds = _scaled(text, _DURATIONS)
    if seconds is None:
        raise ValueError(f"{text!r} is not a duration: write seconds, or 30s, 5m, 2h")
    return seconds


def read_ratio(text: str) -> float:
    """A number from 0 up."""
    ratio = _scaled(text, {"": 1})
    if ratio is None:
        raise ValueError(f"{text!r} is not a ratio: write a number such as 1.5")
    return ratio


def read_port(text: str) -> int:
    """A port of this machine; 0 is any."""
    if not re.fullmatch(r"\d{1,5}", text.strip(), re.ASCII) or int(text) > MAX_PORT:
        raise ValueError(f"{text!r} is not a port: write a number from 0 to {MAX_PORT}; 0 is any that is free")
    return int(text)


def read_peer(text: str) -> Address:
    """Where somebody is."""
    from trio_torrent import Address

    return Address.parse(text)


def read_command(text: str) -> tuple[str, ...]:
    """The words of a command, as a shell would split them."""
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a command: {str(error).lower()}") from error
    if not words or "\0" in text:
        raise ValueError(f"{text!r} is not a command")
    return tuple(words)


def read_interface(text: str) -> str:
    """An IP address of this machine. Binding to it is the one sure way to find out whether it is."""
    import ipaddress
    import socket

    try:
        address = ipaddress.ip_address(text)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind((str(address), 0))
    except (ValueError, OSError):
        raise ValueError(f"{text!r} is not an IP address of this machine") from None
    return str(address)


def read_piece_length(text: str) -> int:
    """Bytes: a power of two that clients take."""
    size = read_size(text)
    if not SHORTEST_PIECE <= size <= LONGEST_PIECE or size & (size - 1):
        raise ValueError(f"{text!r} is not a piece length: write a power of two from 16K to 256M")
    return size


def read_tier(text: str) -> tuple[str, ...]:
    """The trackers of one tier, with commas between them."""
    return tuple([_url(part, TRACKER_SCHEMES) for part in text.split(",")])


def read_web_seed(text: str) -> str:
    """Where the data is on a web server."""
    return _url(text, WEB_SEED_SCHEMES)


def read_text(text: str) -> str:
    """What can be written as UTF-8. Bytes of the command line that are no text come as halves of characters."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{text!r} is not UTF-8")
    return text


def read_proxy(text: str) -> str:
    """Where a proxy is and what it speaks."""
    from trio_torrent import Settings

    Settings(proxy=text)
    return text


def _url(text: str, schemes: tuple[str, ...]) -> str:
    from urllib.parse import urlsplit

    url = text.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL: {error}") from error
    if parts.scheme.lower() not in schemes or not url[len(parts.scheme) :].startswith("://"):
        raise ValueError(f"{text!r} does not begin with {', '.join(f'{scheme}://' for scheme in schemes)}")
    if not parts.hostname or port == 0 or (parts.scheme.lower() == "udp" and port is None):
        raise ValueError(f"{text!r} has no {'port' if parts.hostname else 'host'}")
    if not url.isprintable() or " " in url or len(url) > MAX_URL:
        raise ValueError(f"{text!r:.80} has blanks or other characters that no URL has, or more than {MAX_URL}")
    return url


def _scaled(text: str, units: Mapping[str, int]) -> float | None:
    """A decimal number and a unit; None if it is anything else. Fifteen digits are what a float holds."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?) ?([A-Z]{0,3})", text.strip().upper(), re.ASCII)
    return float(match[1]) * units[match[2]] if match and match[2] in units else None


SIZE = Written("size", read_size)
PIECE_LENGTH = Written("size", read_piece_length)
TIER = Written("url", read_tier)
WEB_SEED = Written("url", read_web_seed)
PROXY = Written("url", read_proxy)
TEXT = Written("text", read_text)
RATE = Written("rate", read_rate)
DURATION = Written("duration", read_duration)
RATIO = Written("r", read_ratio)
INTERFACE = Written("address", read_interface)
PEER = Written("host:port", read_peer)
PORT = Written("n", read_port)
COMMAND = Written("cmd", read_command)
