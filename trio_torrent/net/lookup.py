"""The system's name service, in threads of our own, each answer kept for a moment."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import attrs
import trio

MAX_LOOKUPS = 50  # threads that wait for DNS, where a dead name server keeps one for up to 30 s

# A tracker is asked over IPv4 and IPv6, and by all torrents at once when a client starts: for that an answer is kept,
# and no longer, as a tracker that moves should be found.
KEPT_SECONDS = 10.0
MAX_KEPT = 500  # hosts: more than are asked within that time


@attrs.define(eq=False)
class _Host:
    asking: trio.Lock = attrs.field(factory=trio.Lock)
    until: float = 0.0
    addresses: Sequence[str] = ()
    error: OSError | UnicodeError | None = None


class SystemLookup:
    """Looks hosts up. Who asks for one that is being looked up shares the answer."""

    def __init__(self) -> None:
        self._threads = trio.CapacityLimiter(MAX_LOOKUPS)  # in trio's default ones, a slow disk would delay us
        self._hosts: dict[str, _Host] = {}

    async def __call__(self, name: str) -> Sequence[str]:
        """The IP addresses of a host, by its name. Raises OSError, or UnicodeError for what can be no name."""
        self._forget()
        host = self._hosts.setdefault(name, _Host(until=trio.current_time() + KEPT_SECONDS))
        async with host.asking:
            if not host.addresses and host.error is None:
                await self._ask(name, host)
                host.until = trio.current_time() + KEPT_SECONDS
        if host.error is not None:
            raise type(host.error)(*host.error.args)
        return host.addresses

    async def _ask(self, name: str, host: _Host) -> None:
        """A look-up cannot be stopped and hurts nobody, so it is left to itself when we no longer wait for it."""
        try:
            host.addresses = await trio.to_thread.run_sync(
                _look_up, name, limiter=self._threads, abandon_on_cancel=True
            )
        except (OSError, UnicodeError) as error:
            host.error = error

    def _forget(self) -> None:
        now = trio.current_time()
        self._hosts = {
            name: host
            for name, host in list(self._hosts.items())[-MAX_KEPT:]
            if host.until > now or host.asking.locked()
        }


def _look_up(host: str) -> Sequence[str]:
    found = [str(sockaddr[0]) for *_, sockaddr in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    return list(dict.fromkeys(found))
