"""Asking a SOCKS proxy for a connection (RFC 1928; user name and password by RFC 1929).

The conversation is a generator without I/O: it yields the bytes to send, or the number of bytes that it needs next and
is then sent. httpcore's own takes for granted that each reply comes in one piece and is well-formed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Generator
from typing import TypeAlias

from trio_torrent.errors import TrackerError

from .proxy import Proxy

Conversation: TypeAlias = "Generator[bytes | int, bytes, None]"

MAX_HOST = 255  # bytes of a name: its length is one byte

_VERSION, _LOGIN_VERSION = 5, 1
_NO_LOGIN, _LOGIN = 0, 2
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4

_REFUSALS = {
    1: "it failed",
    2: "its rules forbid it",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "it took too many hops",
    7: "it does not connect for others",
    8: "it does not know this kind of address",
}


def ask_for_connection(proxy: Proxy, host: str, port: int) -> Conversation:
    """Say who we are and where we want to go. When it ends, the connection leads there. Raises TrackerError."""
    yield from _log_in(proxy)
    yield bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2)
    version, reply, _, kind = yield 4
    if version != _VERSION:
        raise TrackerError("the proxy does not speak SOCKS 5")
    if reply:
        raise TrackerError(f"the proxy cannot connect: {_REFUSALS.get(reply, f'reply {reply}')}")
    yield from _skip_address(kind)


def _log_in(proxy: Proxy) -> Conversation:
    method = _NO_LOGIN if proxy.user is None else _LOGIN
    yield bytes([_VERSION, 1, method])
    version, chosen = yield 2
    if version != _VERSION:
        raise TrackerError("the proxy does not speak SOCKS 5")
    if chosen != method:
        raise TrackerError("the proxy wants another way to log in" if proxy.user else "the proxy wants a login")
    if proxy.user is None:
        return
    user, password = proxy.user.encode(), proxy.password.encode()
    yield bytes([_LOGIN_VERSION, len(user)]) + user + bytes([len(password)]) + password
    _, refused = yield 2
    if refused:
        raise TrackerError("the proxy refused the user name or the password")


def _address(host: str) -> bytes:
    """Names go as they are: looked up here, they would tell the name service what the proxy is to hide."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode()
        if len(name) > MAX_HOST:
            raise TrackerError("a host's name is too long for the proxy") from None
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if ip.version == 4 else _IPV6]) + ip.packed


def _skip_address(kind: int) -> Conversation:
    """Where the proxy connects from, which nobody asked."""
    if kind == _NAME:
        (length,) = yield 1
    elif kind in (_IPV4, _IPV6):
        length = 4 if kind == _IPV4 else 16
    else:
        raise TrackerError("the proxy does not speak SOCKS 5")
    yield length + 2
