"""One guarded GET, for trackers and whatever else a torrent names by URL.

A torrent's URLs come from strangers, and so do the answers. What is held here:

- **Where it goes.** Each connection is made to an address that was looked up and checked, never to a name, so no second
  look-up can lead elsewhere. An address that is not global (this host, the local network) is contacted only as the
  caller's `Local` says, and never after a redirect from a global one. A redirect is a new request with all its checks.
- **How long it takes.** One deadline for everything from the look-up to the last byte; httpx's own are per operation.
- **How much it costs.** The body is read raw and inflated here, piece by piece, since httpx would inflate 266 bytes to
  a gigabyte; beyond the limit the connection is closed.
- **What it leaves behind.** Each request has a client of its own: no cookie, connection or password goes from one
  request to the next. Only the TLS context is shared, as loading the certificates takes 30 ms.
- **Who hears of it.** A proxy is used only if the user gave one, never because the environment names it.

Everything raises TrackerError, in one line that names the host but not the path, which may hold a passkey.
"""

from __future__ import annotations

import ssl
from http import HTTPStatus

import httpcore
import httpx
import trio

from trio_torrent.errors import TrackerError
from trio_torrent.wire.web_answers import in_words

from .body import read_body
from .bulk import BulkTransport
from .guard import Detour, Direct, Means, Way
from .lane import Lane
from .lookup import SystemLookup
from .proxy import Proxy
from .reach import Family, Local, Lookup
from .words import clean, in_one_line

MAX_URL = 8192  # characters: common servers take no longer request line
MAX_REDIRECTS = 5  # libtorrent's limit too; a browser's 20 are for logins
MAX_REQUESTS = 100  # under way at once, each with a socket. Others wait, and their time does not run

_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for what is no TLS: httpx wants a context all the same


class Http:
    """Gets bodies by URL. Made by `make_http`."""

    def __init__(
        self,
        *,
        user_agent: str,
        allow_local: bool,
        context: ssl.SSLContext | None,
        means: Means,
    ) -> None:
        self._says = {"User-Agent": user_agent, "Accept": "*/*"}
        self._headers = {**self._says, "Accept-Encoding": "gzip", "Connection": "close"}
        self._allow_local = allow_local
        self._context = context
        self._means = means
        self._places = trio.CapacityLimiter(MAX_REQUESTS)

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes:
        """The body of `url`: at most `limit` bytes when inflated, within `seconds` from start to end.

        At most five redirects are followed. `family` is the only one to connect over; a proxy connects as it likes.
        Raises TrackerError for whatever goes wrong, the status not being 200 included.
        """
        target = _parse(url)
        async with self._places:
            try:
                with trio.fail_after(seconds):
                    return await self._follow(target, limit, Local.ALWAYS if self._allow_local else local, family)
            except trio.TooSlowError:
                raise TrackerError(f"{_host(target)}: no complete answer within {seconds:g} s") from None

    def lane(self) -> Lane:
        """For many requests to one server, each for much: a web seed. Local addresses only with `allow_local`."""
        local = Local.ALWAYS if self._allow_local else Local.NEVER
        return Lane(
            headers={**self._says, "Accept-Encoding": "identity", "Connection": "keep-alive"},
            parse=_parse,
            way=lambda url: self._way(url, local, None),
            transport=lambda url, way: self._bulk(self._context_for(url), way),
        )

    def _bulk(self, context: ssl.SSLContext, way: Way) -> httpx.AsyncBaseTransport:
        """A proxy that is asked by HTTP is left to httpcore, which knows how; no such proxy is too fast for it."""
        proxy = self._means.proxy
        return _GuardedTransport(context, way) if proxy and proxy.scheme == "http" else BulkTransport(context, way)

    async def _follow(self, url: httpx.URL, limit: int, local: Local, family: Family | None) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            way = self._way(url, local, family)
            outcome = await self._request(url, way, limit)
            if isinstance(outcome, bytes):
                return outcome
            if way.went_out and not self._allow_local:
                local = Local.NEVER
            url = outcome
        raise TrackerError(f"{_host(url)}: more than {MAX_REDIRECTS} redirects")

    def _way(self, url: httpx.URL, local: Local, family: Family | None) -> Way:
        proxy = self._means.proxy
        return Detour(self._means, url, local, proxy) if proxy else Direct(self._means, url, local, family)

    async def _request(self, url: httpx.URL, way: Way, limit: int) -> bytes | httpx.URL:
        """The body, or where it is said to be."""
        transport = _GuardedTransport(self._context_for(url), way)
        client = httpx.AsyncClient(transport=transport, headers=self._headers, timeout=None, trust_env=False)
        try:
            async with client, client.stream("GET", url) as response:
                if response.has_redirect_location:
                    return _parse(response.headers["location"], url)
                if response.status_code != HTTPStatus.OK:
                    raise TrackerError(f"{_host(url)}: answered {in_words(response.status_code)}")
                return await read_body(response, limit)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise TrackerError(f"{_host(url)}: {in_one_line(error)}") from error
        finally:
            await way.aclose()

    def _context_for(self, url: httpx.URL) -> ssl.SSLContext:
        """The certificates are loaded for the first https request: most torrents have plain trackers."""
        if url.scheme != "https":
            return _TRUSTS_NOBODY
        if self._context is None:
            self._context = httpx.create_ssl_context(trust_env=False)
        return self._context


def make_http(
    *,
    user_agent: str,
    allow_local: bool = False,
    context: ssl.SSLContext | None = None,
    lookup: Lookup | None = None,
    network: httpcore.AsyncNetworkBackend | None = None,
    interface: str | None = None,
    proxy: Proxy | None = None,
) -> Http:
    """Something that gets, from the local address `interface` and by way of `proxy` if given; `allow_local` lifts every
    restriction to global addresses.

    `context` replaces httpx's certificates, `lookup` the system's name service, and `network` real connections; what
    it is asked to connect to is always an IP address.
    """
    return Http(
        user_agent=user_agent,
        allow_local=allow_local,
        context=context,
        means=Means(lookup or SystemLookup(), network or httpcore.TrioBackend(), interface, proxy),
    )


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport with connections from the guard; there is no public way to hand it a backend."""

    def __init__(self, context: ssl.SSLContext, way: Way) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = way.pool(context)


def _parse(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """A URL that can be requested: its host is named, its port exists."""
    if len(text) > MAX_URL:
        raise TrackerError(f"a URL of {len(text)} characters is too long")
    try:
        url = base.join(text) if base else httpx.URL(text)
        host = url.host  # decoding a bad `xn--` name raises here, and not in the midst of things
    except (httpx.InvalidURL, ValueError) as error:
        raise TrackerError(f"not a URL: {clean(str(error))}") from error
    if url.scheme not in ("http", "https"):
        raise TrackerError(f"{url.scheme or 'no scheme'}: not supported, only http and https are")
    if not host or not 0 < (1 if url.port is None else url.port) < 65536:
        raise TrackerError("a URL without a host, or with an impossible port")
    return url


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")
