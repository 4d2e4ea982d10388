"""opentracker, as Debian builds it: it knows only torrents that are on its white list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import attrs
import httpx
import trio

from trio_torrent.bencode import decode
from trio_torrent.tracker.http import MAX_DEPTH

from .programs import LOOPBACK, free_port, need, running, until


@attrs.frozen
class Counts:
    """Who is sharing a torrent (BEP 48)."""

    seeders: int
    leechers: int


@attrs.frozen(eq=False)
class Tracker:
    """A tracker that is running."""

    base: str
    http: httpx.AsyncClient

    @property
    def announce(self) -> str:
        """For torrents."""
        return f"{self.base}/announce"

    async def scrape(self, info_hash: bytes) -> Counts:
        """How many it knows."""
        answer = await self.http.get(f"{self.base}/scrape?info_hash={quote(info_hash, safe='')}")
        scraped = decode(answer.content, max_depth=MAX_DEPTH)
        assert isinstance(scraped, dict)
        assert isinstance(files := scraped[b"files"], dict)
        match files.get(info_hash):
            case {b"complete": int(seeders), b"incomplete": int(leechers)}:
                return Counts(seeders, leechers)
            case None:
                return Counts(0, 0)
            case other:
                raise AssertionError(other)

    async def until(self, info_hash: bytes, *, seeders: int, leechers: int, seconds: float = 45) -> None:
        """Return when it knows so many."""

        async def so_many() -> bool:
            return await self.scrape(info_hash) == Counts(seeders, leechers)

        await until(so_many, f"{seeders} seeders and {leechers} leechers at the tracker", seconds=seconds)

    async def introduce(self, info_hash: bytes, host: str, port: int) -> None:
        """Announce a seeder at `host`, from there: a tracker takes nobody's word for an address."""
        transport = httpx.AsyncHTTPTransport(local_address=host)
        query = f"info_hash={quote(info_hash, safe='')}&peer_id={'-XX0000-' + f'{port:012}'}&port={port}&left=0"
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
            answer = await http.get(f"{self.announce}?{query}&uploaded=0&downloaded=0&compact=1&event=started")
        assert b"failure" not in answer.content


def plan() -> str:
    """The base URL of a tracker to come: torrents name their tracker, and trackers their torrents."""
    return f"http://{LOOPBACK}:{free_port()}"


@asynccontextmanager
async def open_tracker(base: str, work: Path, info_hashes: Iterable[bytes]) -> AsyncIterator[Tracker]:
    """A tracker at `base` for these torrents."""
    need("opentracker", "opentracker")
    work.mkdir()
    # Started by root it locks itself up in this folder as `nobody`, and reads the list from there.
    work.chmod(0o755)
    allowed = list(info_hashes)
    (work / "whitelist").write_text("".join(f"{info_hash.hex()}\n" for info_hash in allowed))
    url = httpx.URL(base)
    arguments = ["-i", url.host, "-p", str(url.port), "-d", str(work), "-w", "whitelist"]
    async with (
        running("opentracker", *arguments, log=work.with_suffix(".log"), cwd=work),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        tracker = Tracker(base, http)
        for info_hash in allowed:
            await _until_allowed(tracker, info_hash)
        yield tracker


async def _until_allowed(tracker: Tracker, info_hash: bytes) -> None:
    """It begins to listen before it has read the list. A `stopped` of somebody unknown changes nothing."""
    query = f"info_hash={quote(info_hash, safe='')}&peer_id={'x' * 20}&port=9&left=0&event=stopped&compact=1"

    async def allowed() -> bool:
        try:
            answer = await tracker.http.get(f"{tracker.announce}?{query}")
        except httpx.TransportError:
            return False
        return b"failure reason" not in answer.content

    await until(allowed, "opentracker answers")
