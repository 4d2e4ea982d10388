"""Saying to the local network which torrents are here (BEP 14): one datagram, written like an HTTP request."""

from __future__ import annotations

import re

import attrs

from trio_torrent.errors import ProtocolError

GROUP_IPV4 = "239.192.152.143"
GROUP_IPV6 = "ff15::efc0:988f"
PORT = 6771

MAX_DATAGRAM = 1400  # bytes (BEP 14); what is longer might be torn on its way
MOST_HASHES = 25  # in one datagram: each takes 52 bytes
MAX_COOKIE = 64  # characters that are kept

_HEADER = re.compile(r"([A-Za-z-]{1,32}):[ \t]*(.{0,200}?)[ \t]*")


@attrs.frozen
class LocalAnnounce:
    """These torrents are at this TCP port of whoever sends it."""

    port: int
    info_hashes: tuple[bytes, ...]  # 20 bytes each
    cookie: str = ""  # by which the sender knows its own


def encode_local(announce: LocalAnnounce, *, ipv6: bool) -> bytes:
    """The datagram, for the group of this family. ValueError for more hashes than one has room for."""
    if len(announce.info_hashes) > MOST_HASHES:
        raise ValueError(f"{len(announce.info_hashes)} info-hashes, more than {MOST_HASHES}")
    host = f"[{GROUP_IPV6}]" if ipv6 else GROUP_IPV4
    lines = [
        "BT-SEARCH * HTTP/1.1",
        f"Host: {host}:{PORT}",
        f"Port: {announce.port}",
        *[f"Infohash: {info_hash.hex()}" for info_hash in announce.info_hashes],
        *([f"cookie: {announce.cookie}"] if announce.cookie else []),
        "\r\n\r\n",
    ]
    return "\r\n".join(lines).encode()


def decode_local(datagram: bytes) -> LocalAnnounce:
    """Read one. What is of no use in it is left out. ProtocolError if it announces nothing."""
    if len(datagram) > MAX_DATAGRAM:
        raise ProtocolError(f"a local announce of {len(datagram)} bytes")
    first, *lines = datagram.decode("latin-1").split("\n")
    if not first.upper().startswith("BT-SEARCH "):
        raise ProtocolError("not a local announce")
    port, cookie, info_hashes = 0, "", dict[bytes, None]()
    for name, value in _headers(lines):
        if name == "port" and value.isascii() and value.isdigit() and 0 < int(value) < 65536:
            port = int(value)
        elif name == "infohash" and (digest := _digest(value)) is not None:
            info_hashes[digest] = None
        elif name == "cookie":
            cookie = value[:MAX_COOKIE]
    if not port or not info_hashes:
        raise ProtocolError("a local announce without a port or an info-hash")
    return LocalAnnounce(port, tuple(info_hashes)[:MOST_HASHES], cookie)


def _headers(lines: list[str]) -> list[tuple[str, str]]:
    matches = [_HEADER.fullmatch(line.removesuffix("\r")) for line in lines]
    return [(match[1].lower(), match[2]) for match in matches if match]


def _digest(text: str) -> bytes | None:
    """Hexadecimal, and nothing else: `bytes.fromhex` passes over blanks."""
    return bytes.fromhex(text) if re.fullmatch("[0-9A-Fa-f]{40}", text) else None
