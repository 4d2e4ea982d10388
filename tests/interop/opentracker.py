"""opentracker, as Debian builds it: it knows only torrents that are on its white list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import attrs
import httpx
import trio

from trio_torrent.bencode import decode
from trio_torrent.tracker.http import MAX_DEPTH

from .programs import LOOPBACK, free_port, running, until


@attrs.frozen
class Counts:
    """Who is sharing a torrent (BEP 48)."""

    seeders: int
    leechers: int
    downloads: int  # that it was told of


@attrs.frozen(eq=False)
class Tracker:
    """A tracker that is running."""

    base: str
    http: httpx.AsyncClient

    @property
    def announce(self) -> str:
        """For torrents."""
        return f"{self.base}/announce"

    @property
    def udp(self) -> str:
        """For torrents, too: the same tracker by the other protocol."""
        return self.announce.replace("http:", "udp:")

    async def scrape(self, info_hash: bytes) -> Counts:
        """How many it knows."""
        answer = await self.http.get(f"{self.base}/scrape?info_hash={quote(info_hash, safe='')}")
        scraped = decode(answer.content, max_depth=MAX_DEPTH)
        assert isinstance(scraped, dict)
        files = scraped[b"files"]
        assert isinstance(files, dict)
        match files.get(info_hash):
            case {b"complete": int(seeders), b"incomplete": int(leechers), b"downloaded": int(downloads)}:
                return Counts(seeders, leechers, downloads)
            case None:
                return Counts(0, 0, 0)
            case other:
                raise AssertionError(other)

    async def until(self, info_hash: bytes, *, seeders: int, leechers: int) -> None:
        """Return when it knows so many."""

        async def so_many() -> bool:
            counts = await self.scrape(info_hash)
            return (counts.seeders, counts.leechers) == (seeders, leechers)

        await until(so_many, f"{seeders} seeders and {leechers} leechers at the tracker")

    async def introduce(self, info_hash: bytes, host: str, port: int) -> None:
        """Announce a seeder at `host`, from there: a tracker takes nobody's word for an address."""
        url = httpx.URL(f"{self.announce}?{_query(info_hash, port, event='started')}")
        assert url.port is not None
        async with await trio.open_tcp_stream(url.host, url.port, local_address=host) as stream:
            await stream.send_all(b"GET %s HTTP/1.0\r\n\r\n" % url.raw_path)
            answer = b"".join([chunk async for chunk in stream])
        assert b"5:peers" in answer


def _query(info_hash: bytes, port: int, *, event: str) -> str:
    return f"info_hash={quote(info_hash, safe='')}&peer_id={port:020}&port={port}&left=0&compact=1&event={event}"


def plan() -> str:
    """The base URL of a tracker to come: torrents name their tracker, and trackers their torrents."""
    return f"http://{LOOPBACK}:{free_port()}"


@asynccontextmanager
async def open_tracker(base: str, work: Path, info_hash: bytes) -> AsyncIterator[Tracker]:
    """A tracker at `base` for this torrent, by HTTP and UDP. Debian builds it for IPv4 only."""
    _write_whitelist(work, info_hash)
    url = httpx.URL(base)
    arguments = ["-i", url.host, "-p", str(url.port), "-P", str(url.port), "-d", str(work), "-w", "whitelist"]
    async with (
        running("opentracker", *arguments, log=work.with_suffix(".log"), cwd=work),
        # It closes each connection after its answer, without announcing that.
        httpx.AsyncClient(trust_env=False, headers={"Connection": "close"}) as http,
    ):
        tracker = Tracker(base, http)
        await _until_allowed(tracker, info_hash)
        yield tracker


def _write_whitelist(work: Path, info_hash: bytes) -> None:
    """Started by root it locks itself up in this folder as `nobody`, and reads the list from there."""
    work.mkdir()
    work.chmod(0o755)
    (work / "whitelist").write_text(f"{info_hash.hex()}\n")


async def _until_allowed(tracker: Tracker, info_hash: bytes) -> None:
    """It begins to listen before it has read the list. A `stopped` of somebody unknown changes nothing."""
    url = f"{tracker.announce}?{_query(info_hash, 9, event='stopped')}"

    async def allowed() -> bool:
        try:
            answer = await tracker.http.get(url)
        except httpx.TransportError:
            return False
        return b"failure reason" not in answer.content

    await until(allowed, "opentracker answers")
