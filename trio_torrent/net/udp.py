"""One port's UDP sockets, one for each family, shared by everything that speaks in datagrams.

Who listens says by which first bytes its datagrams are known: the DHT's are dictionaries, so they begin with `d`; a UDP
tracker's answers with the zeros of a small number. After one wait the raw socket is emptied (4.7 µs a datagram, against
16 with a wait for each), and receivers are plain functions, so that nothing can pile up in between.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import trio

from .boundary import Boundary

MAX_DATAGRAM = 4096  # bytes; what is longer is torn, and nobody here sends more than 1500
BATCH = 100  # datagrams of one socket before others have their turn

Receiver = Callable[[bytes, str, int], None]
"""Takes a datagram, and the host and the port that it came from. It must not block."""


class Datagrams:
    """Made by `open_datagrams`. Leaving it as a context closes the sockets."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = {sock.family: sock for sock in sockets}
        self._receivers: list[Receiver | None] = [None] * 256

    def __enter__(self) -> Datagrams:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets.values():
            sock.close()

    @property
    def port(self) -> int:
        """The local port, the same for both families."""
        port: int = next(iter(self._sockets.values())).getsockname()[1]
        return port

    @property
    def families(self) -> frozenset[socket.AddressFamily]:
        """What there is a socket for: AF_INET, AF_INET6 or both."""
        return frozenset(map(socket.AddressFamily, self._sockets))

    @contextmanager
    def listen(self, first_bytes: Iterable[int], receiver: Receiver) -> Iterator[None]:
        """While the block lasts, datagrams that begin with one of these go to this receiver.

        ValueError if they go to another.
        """
        firsts = set(first_bytes)
        if any(self._receivers[first] is not None for first in firsts):
            raise ValueError("somebody listens to these already")
        try:
            for first in firsts:
                self._receivers[first] = receiver
            yield
        finally:
            for first in firsts:
                self._receivers[first] = None

    def send(self, data: bytes, host: str, port: int) -> bool:
        """Send it, or drop it, as the net does, too: no such family here, no route, no room. Whether it was sent."""
        sock = self._sockets.get(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if sock is None:
            return False
        try:
            sock.sendto(data, (host, port))
        except (OSError, OverflowError):
            return False
        return True

    async def run(self, boundary: Boundary) -> None:
        """Receive for ever."""
        async with trio.open_nursery() as nursery:
            for sock in self._sockets.values():
                nursery.start_soon(self._receive, sock, boundary)

    async def _receive(self, sock: socket.socket, boundary: Boundary) -> None:
        while True:
            await trio.lowlevel.wait_readable(sock)
            with boundary.guard("a datagram"):
                self._drain(sock)

    def _drain(self, sock: socket.socket) -> None:
        receivers = self._receivers
        for _ in range(BATCH):
            try:
                data, sender = sock.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                continue  # an earlier datagram was refused somewhere; some systems say so here
            receiver = receivers[data[0]] if data else None
            if receiver is not None and "%" not in sender[0]:  # a link-local address is nobody's business
                receiver(data, sender[0], sender[1])


def open_datagrams(port: int, *, interface: str | None = None) -> Datagrams:
    """Bind the port (0: any free one), on one local address or on all, IPv4 and IPv6 on the same port.

    Raises OSError if the port is taken or the address is not ours.
    """
    if interface is not None:
        version = ipaddress.ip_address(interface).version
        return Datagrams([_bound(socket.AF_INET if version == 4 else socket.AF_INET6, interface, port)])
    sockets = [_bound(socket.AF_INET, "0.0.0.0", port)]
    with suppress(OSError):  # no IPv6 here, or that port is somebody else's there
        sockets.append(_bound(socket.AF_INET6, "::", sockets[0].getsockname()[1]))
    return Datagrams(sockets)


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock
