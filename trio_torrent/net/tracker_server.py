"""A small tracker, for `demo`, for tests, and for people who share data inside a cluster; by HTTP and by UDP.

By HTTP, one request a connection: announces are minutes apart, so nothing is gained by keeping connections, and a
client that sends nothing, or slowly, is gone within seconds. Whatever goes wrong is answered as a bencoded failure
reason. What clients may do to memory is bounded in `trio_torrent.tracker.registry`.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from contextlib import suppress
from http import HTTPStatus
from random import Random
from typing import NoReturn

import attrs
import h11
import trio

from trio_torrent.address import Address
from trio_torrent.bencode import encode
from trio_torrent.tracker.announce import Refused
from trio_torrent.tracker.query import parse_announce, parse_scrape
from trio_torrent.tracker.registry import INTERVAL, Registry
from trio_torrent.tracker.udp_desk import UdpDesk

MAX_REQUEST = 16 * 1024  # bytes of request line and headers: twice what other servers take
MAX_CONNECTIONS = 256  # at once; the next ones wait in the kernel's queue
REQUEST_SECONDS = 10.0  # from connecting to the answer being sent: libtorrent gives trackers as long between two bytes
ACCEPT_PAUSE = 0.2  # seconds, when there are no more file descriptors: some connection will end
MAX_DATAGRAM = 2048  # bytes; an announce has 98 and a path, a scrape of 74 torrents 1496. What is longer is cut
MAX_DRAINED = 64  # datagrams that are answered in a row, so that a flood of them does not hold up everything else
CHUNK = 4096  # bytes to receive at once; an announce has about 500


@attrs.frozen
class TrackerServer:
    """A running tracker."""

    url: str  # the announce URL
    udp_url: str | None  # the same tracker by UDP, at the same port; None if somebody else has that
    registry: Registry


async def serve_tracker(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    interval: float = INTERVAL,
    random: Random | None = None,
    task_status: trio.TaskStatus[TrackerServer] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Serve until cancelled, on the local address `host`; port 0 takes a free one. `nursery.start` returns the
    `TrackerServer`. Its `url` is for others only if `host` is an address that they reach: the default is for this
    machine alone, and so is the URL of a tracker on all addresses.

    `interval` is what clients are told to wait between announces, in seconds. Raises OSError if the port is taken.
    """
    random = random or Random(secrets.randbits(128))
    registry = Registry(random=random, interval=interval)
    listeners = await trio.open_tcp_listeners(port, host=host)
    lines = [line for line in map(_udp_beside, listeners) if line is not None]
    desk = UdpDesk(registry, secret=secrets.token_bytes(32))
    slots = trio.Semaphore(MAX_CONNECTIONS)
    async with trio.open_nursery() as nursery:
        for listener in listeners:
            nursery.start_soon(_accept, listener, registry, slots, nursery)
        for line in lines:
            nursery.start_soon(_answer_datagrams, line, desk)
        url = _url(listeners[0])
        udp_url = url.replace("http:", "udp:") if len(lines) == len(listeners) else None
        task_status.started(TrackerServer(url, udp_url, registry))
    raise AssertionError("accepting never ends")  # pragma: no cover


async def _accept(
    listener: trio.abc.Listener[trio.SocketStream], registry: Registry, slots: trio.Semaphore, nursery: trio.Nursery
) -> NoReturn:
    """trio's own loop would log a traceback ten times a second when there are no file descriptors, and has no limit."""
    async with listener:
        while True:
            await slots.acquire()
            try:
                stream = await listener.accept()
            except OSError:
                slots.release()
                await trio.sleep(ACCEPT_PAUSE)
            else:
                nursery.start_soon(_serve, stream, registry, slots)


async def _serve(stream: trio.SocketStream, registry: Registry, slots: trio.Semaphore) -> None:
    try:
        async with stream:
            with trio.move_on_after(REQUEST_SECONDS):
                await _answer(stream, registry)
    except (OSError, trio.BrokenResourceError):
        pass  # the client has gone away; what it announced stays noted
    finally:
        slots.release()


async def _answer(stream: trio.SocketStream, registry: Registry) -> None:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST)
    try:
        request = await _receive_request(stream, connection)
        if request is None:
            return
        status, body = _respond(request, registry, _peer_host(stream))
    except h11.RemoteProtocolError as error:
        status, body = HTTPStatus(error.error_status_hint), _failure("this is not a request of HTTP")
    await stream.send_all(_response(connection, status, body))


async def _receive_request(stream: trio.SocketStream, connection: h11.Connection) -> h11.Request | None:
    """None if the client closes the connection without one. A body is not waited for."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(CHUNK))
        else:
            return event if isinstance(event, h11.Request) else None


def _respond(request: h11.Request, registry: Registry, host: str) -> tuple[HTTPStatus, bytes]:
    """A refused announce has status 200: clients read a failure reason only then."""
    path, _, query = request.target.partition(b"?")
    if request.method != b"GET":
        return HTTPStatus.METHOD_NOT_ALLOWED, _failure("only GET is served")
    try:
        if path == b"/announce":
            return HTTPStatus.OK, registry.announce(parse_announce(query), host, trio.current_time())
        if path == b"/scrape":
            return HTTPStatus.OK, registry.scrape(parse_scrape(query), trio.current_time())
    except Refused as error:
        return HTTPStatus.OK, _failure(str(error))
    return HTTPStatus.NOT_FOUND, _failure("only /announce and /scrape are served")


def _response(connection: h11.Connection, status: HTTPStatus, body: bytes) -> bytes:
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Connection", "close")]
    head = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
    sent = (connection.send(event) for event in (head, h11.Data(data=body), h11.EndOfMessage()))
    return b"".join(data for data in sent if data)


def _udp_beside(listener: trio.SocketListener) -> socket.socket | None:
    """A UDP socket at the address of the listener; None if it is taken."""
    line = socket.socket(listener.socket.family, socket.SOCK_DGRAM)
    try:
        if line.family == socket.AF_INET6:
            line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        line.setblocking(False)
        line.bind(listener.socket.getsockname())
    except OSError:
        line.close()
        return None
    return line


async def _answer_datagrams(line: socket.socket, desk: UdpDesk) -> NoReturn:
    with line:
        while True:
            await trio.lowlevel.wait_readable(line)
            for _ in range(MAX_DRAINED):
                try:
                    data, address = line.recvfrom(MAX_DATAGRAM)
                except OSError:  # nothing is left, or the system tells of an answer that did not arrive
                    break
                answer = desk.answer(data, _plain(address[0]), trio.current_time())
                if answer is not None:
                    with suppress(OSError):  # as good as lost
                        line.sendto(answer, address)


def _failure(reason: str) -> bytes:
    return encode({b"failure reason": reason.encode()})


def _peer_host(stream: trio.SocketStream) -> str:
    """Where the connection comes from, in the canonical spelling and without an interface's name."""
    return _plain(stream.socket.getpeername()[0])


def _plain(host: str) -> str:
    return str(ipaddress.ip_address(host.partition("%")[0]))


def _url(listener: trio.SocketListener) -> str:
    """An address to reach the listener at; bound to all of them, it is this host's own."""
    host, port = listener.socket.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{Address(host, port)}/announce"
