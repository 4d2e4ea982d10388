"""A torrent of ours and web servers, good and bad, in virtual time. Real httpx is between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.fakepeer import FakePeer, handler
from tests.fakepeer import Script as PeerScript
from tests.metainfo.making import make_torrent
from tests.payload import random_bytes, write
from tests.simnet import Host, Network, Node, join
from tests.webserver import CHUNK, Asked, Script, Web, head, in_turn, keeps, says
from trio_torrent.address import Address
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.client.settings import Settings
from trio_torrent.client.status import State
from trio_torrent.client.torrent import Torrent
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.swarm.webseeds import WebSeedState, WebSeedStatus
from trio_torrent.wire import messages as wire

PIECE = 65536
PAYLOAD = random_bytes(20 * PIECE + 1000)
FOLDER = {
    ("a b", "first é"): PAYLOAD[: 3 * PIECE + 17],
    ("empty",): b"",
    ("one",): PAYLOAD[3 * PIECE + 17 : 3 * PIECE + 18],
    ("z",): PAYLOAD[3 * PIECE + 18 :],
}
WHERE = {"/payload.bin": PAYLOAD}
TREE = {f"/pub/dir/{'/'.join(path)}": data for path, data in FOLDER.items() if data}
US, THEM = Address("10.0.0.1", 6881), Address("10.0.1.1", 6881)


def single(*urls: str, http_seeds: tuple[str, ...] = ()) -> Metainfo:
    return Metainfo.from_bytes(
        make_torrent("payload.bin", {(): PAYLOAD}, "1", PIECE, web_seeds=urls, http_seeds=http_seeds)
    )


def folder(version: str = "1") -> Metainfo:
    return Metainfo.from_bytes(make_torrent("dir", FOLDER, version, PIECE, web_seeds=["http://a.example/pub/"]))  # type: ignore[arg-type]


SINGLE = single("http://a.example/")


@attrs.define(eq=False)
class World:
    """Our torrent in its world."""

    web: Web
    node: Node
    path: Path

    @property
    def torrent(self) -> Torrent:
        return self.node.torrent

    @property
    def seeds(self) -> tuple[WebSeedStatus, ...]:
        return self.torrent.status.web_seeds

    async def complete(self, seconds: float = 5.0) -> None:
        """Everything comes within so much virtual time, and is right."""
        with trio.fail_after(seconds):
            await self.torrent.wait_complete()
        await trio.testing.wait_all_tasks_blocked()
        files = (
            {"payload.bin": PAYLOAD}
            if only(self.torrent).layout.files[0].path == ("payload.bin",)
            else {f"dir/{'/'.join(path)}": data for path, data in FOLDER.items()}
        )
        assert {path: (self.path / path).read_bytes() for path in files} == files
        assert self.torrent.status.state is State.SEEDING


@asynccontextmanager
async def world(
    path: Path,
    metainfo: Metainfo = SINGLE,
    *,
    a: Script | None = None,
    hosts: Mapping[str, Script] | None = None,
    peer: PeerScript | None = None,
    settings: Settings | None = None,
    allow_local: bool = False,
    addresses: Mapping[str, str] | None = None,
    link: Magnet | None = None,
    select: list[int] | None = None,
) -> AsyncIterator[World]:
    """Our torrent, and hosts of the web: `a` is the one that most torrents name. Of a `link` a peer knows the rest."""
    async with trio.open_nursery() as nursery:
        web = Web(nursery, {"a": a, **(hosts or {})} if a else hosts or {})
        web.addresses.update(addresses or {})
        http = web.http(allow_local=allow_local)
        network = Network(nursery)
        if peer is not None:
            network.listen(Host(THEM), handler(metainfo, PAYLOAD, peer, name=b"-FAKE00-", fast=False))
        if link is not None:
            idle = Settings(trackers=False, web_seeds=False)
            join(network, nursery, Host(THEM), metainfo, path / "them", settings=idle)
        node = join(
            network,
            nursery,
            Host(US),
            link or metainfo,
            path,
            peers=[THEM] if peer or link else [],
            settings=settings,
            open_lane=http.lane,
            select=select,
        )
        yield World(web, node, path)
        nursery.cancel_scope.cancel()
    assert node.boundary.unexpected == 0


def only(torrent: Torrent) -> Metainfo:
    """What there is, which is known from the start."""
    assert torrent.metainfo is not None
    return torrent.metainfo


async def rests(world: World, words: str, seconds: float = 60.0) -> None:
    """Before long the only web seed rests, or is given up, and says why in these words."""
    with trio.fail_after(seconds):
        while not any(words in (seed.error or "") for seed in world.seeds):  # noqa: ASYNC110
            await trio.sleep(0.1)


# -- the everyday ----------------------------------------------------------------------------------------------------


async def test_a_torrent_comes_from_a_web_server_alone(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, a=keeps(WHERE)) as w:
        await w.complete()
        status = w.torrent.status
        assert (status.downloaded, status.wasted, status.peers, status.seeds) == (len(PAYLOAD), 0, 0, 0)
        (seed,) = w.seeds
        assert seed == WebSeedStatus("http://a.example/", WebSeedState.DONE, len(PAYLOAD), None, None)
        assert str(seed) == "no longer needed"
        assert len(w.web.requests) < 15
        assert w.web.connections <= 4  # and kept
        assert w.web.requests[0].headers["accept-encoding"] == "identity"
        assert w.web.requests[0].headers["user-agent"] == "test/1"


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
async def test_a_folder_comes_file_by_file(version: str, tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, folder(version), a=keeps(TREE)) as w:
        await w.complete()
        assert {asked.path for asked in w.web.requests} == set(TREE)
        assert w.torrent.status.wasted == 0


async def test_a_link_names_web_seeds(tmp_path: Path, autojump_clock: MockClock):
    magnet = attrs.evolve(SINGLE.magnet, trackers=(), web_seeds=("http://a.example/",))
    async with world(tmp_path, SINGLE, a=keeps(WHERE), link=magnet) as w:
        await w.complete(seconds=60)
        assert w.seeds[0].state is WebSeedState.DONE


async def test_they_are_used_again_when_more_is_wanted(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, folder(), a=keeps(TREE), select=[1]) as w:
        await w.torrent.wait_complete()
        await trio.testing.wait_all_tasks_blocked()
        assert w.seeds[0].state is WebSeedState.DONE
        assert w.torrent.status.pieces_done < w.torrent.status.pieces
        w.torrent.select("1-")
        await w.complete(seconds=10)
        assert w.seeds[0].error is None


async def test_they_pause_with_their_torrent(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, a=keeps(WHERE, rate=1e5)) as w:
        await trio.sleep(2)
        w.torrent.pause()
        await trio.sleep(1)
        asked, done = len(w.web.requests), w.torrent.status.pieces_done
        assert w.seeds[0].state is WebSeedState.WAITING
        await trio.sleep(100)
        assert (len(w.web.requests), w.torrent.status.pieces_done) == (asked, done)
        assert done < w.torrent.status.pieces
        w.torrent.resume()
        await w.complete(seconds=60)


async def test_a_script_gives_pieces(tmp_path: Path, autojump_clock: MockClock):
    metainfo = single(http_seeds=("http://a.example/seed.php",))

    async def script(asked: Asked, stream: trio.abc.Stream) -> None:
        fields = dict(field.split("=") for field in asked.target.partition("?")[2].split("&"))
        start = int(fields["piece"]) * PIECE
        first, last = fields.get("ranges", f"0-{PIECE - 1}").split("-")
        await says("200 OK", body=PAYLOAD[start + int(first) : start + int(last) + 1])(asked, stream)

    async with world(tmp_path, metainfo, a=in_turn(says("503 Busy", body=b"7"), script)) as w:
        await rests(w, "503")
        assert 6 < (w.seeds[0].next_try or 0) <= 7
        await w.complete(seconds=10)


async def test_what_is_there_is_not_asked_for(tmp_path: Path, autojump_clock: MockClock):
    write(tmp_path, {"payload.bin": PAYLOAD[: 10 * PIECE] + bytes(len(PAYLOAD) - 10 * PIECE)})
    async with world(tmp_path, a=keeps(WHERE)) as w:
        await w.complete()
        assert min(asked.range[0] for asked in w.web.requests[1:] if asked.range) == 10 * PIECE
        assert w.torrent.status.downloaded == len(PAYLOAD) - 10 * PIECE


async def test_a_complete_torrent_asks_nobody(tmp_path: Path, autojump_clock: MockClock):
    write(tmp_path, {"payload.bin": PAYLOAD})
    async with world(tmp_path, a=keeps(WHERE)) as w:
        await w.complete()
        await trio.sleep(100)
        assert not w.web.requests


async def test_web_seeds_can_be_turned_off(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, settings=Settings(trackers=False, web_seeds=False), a=keeps(WHERE)) as w:
        await trio.sleep(100)
        assert (w.seeds, w.web.requests) == ((), [])


async def test_a_server_and_a_peer_share_the_work(tmp_path: Path, autojump_clock: MockClock):
    async def slow(peer: FakePeer) -> None:
        await peer.say_all_pieces()
        await peer.say(wire.Unchoke())
        async for message in peer:
            if isinstance(message, wire.Request):
                await trio.sleep(0.02)
                start = message.piece * PIECE + message.offset
                await peer.say(wire.Piece(message.piece, message.offset, PAYLOAD[start : start + message.length]))

    async with world(tmp_path, peer=slow, a=keeps(WHERE, rate=500_000)) as w:
        await w.complete()
        status = w.torrent.status
        assert 0 < w.seeds[0].received < len(PAYLOAD)
        assert status.wasted < 4 * CHUNK  # at the end, some are asked of both


async def test_a_limit_is_kept(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, settings=Settings(trackers=False), a=keeps(WHERE)) as w:
        w.torrent.set_limits(down=200_000)
        start = trio.current_time()
        await w.complete(seconds=20)
        assert 6 < trio.current_time() - start < 8


async def test_no_more_than_four_are_used_at_once(tmp_path: Path, autojump_clock: MockClock):
    urls = [f"http://{name}.example/" for name in "abcdef"]
    async with world(tmp_path, single(*urls), hosts=dict.fromkeys("abcdef", keeps(WHERE, rate=20_000))) as w:
        await trio.sleep(1)
        states = sorted(seed.state for seed in w.seeds)
        assert states == [WebSeedState.ACTIVE] * 4 + [WebSeedState.WAITING] * 2
        await w.complete(seconds=30)


# -- redirects and where they may lead -------------------------------------------------------------------------------


async def test_a_redirect_is_followed_and_remembered(tmp_path: Path, autojump_clock: MockClock):
    hosts: dict[str, Script] = {
        "a": says("302 Found", {"Location": "http://b.example/x/payload.bin"}),
        "b": keeps({"/x/payload.bin": PAYLOAD}, rate=100_000),
    }
    async with world(tmp_path, hosts=hosts) as w:
        await w.complete(seconds=20)
        asked = [asked.host for asked in w.web.requests]
        assert asked.count("a.example") <= 4  # once for each connection
        assert asked.count("b.example") > asked.count("a.example")


async def test_a_place_that_has_moved_on_is_looked_up_again(tmp_path: Path, autojump_clock: MockClock):
    def until_five(before: Script, after: Script) -> Script:
        async def script(asked: Asked, stream: trio.abc.Stream) -> None:
            await (before if trio.current_time() < 5 else after)(asked, stream)

        return script

    keeping = keeps(WHERE, rate=50_000)
    hosts: dict[str, Script] = {
        "a": until_five(
            says("302 Found", {"Location": "http://b.example/payload.bin"}),
            says("307 Temporary Redirect", {"Location": "http://c.example/payload.bin"}),
        ),
        "b": until_five(keeping, says("403 Forbidden")),
        "c": keeping,
    }
    async with world(tmp_path, hosts=hosts) as w:
        await w.complete(seconds=60)
        assert {asked.host for asked in w.web.requests} == {"a.example", "b.example", "c.example"}
        assert w.seeds[0].error is None


async def test_redirects_without_end(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, a=says("302 Found", {"Location": "/again"})) as w:
        await rests(w, "more than 5 redirects")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://router.example/reboot", "on this machine or the local network"),
        ("http://127.0.0.1:1/", "on this machine or the local network"),
        ("http://[::1]/", "on this machine or the local network"),
        ("file:///etc/passwd", "not supported"),
        ("http://b.example:0/", "an impossible port"),
    ],
)
async def test_a_redirect_to_where_we_must_not_go(location: str, words: str, tmp_path: Path, autojump_clock: MockClock):
    hosts: dict[str, Script] = {"a": says("302 Found", {"Location": location}), "router": keeps(WHERE)}
    async with world(tmp_path, addresses={"router.example": "192.168.0.1"}, hosts=hosts) as w:
        await rests(w, words)
        assert {asked.host for asked in w.web.requests} == {"a.example"}


async def test_a_local_server_needs_permission(tmp_path: Path, autojump_clock: MockClock):
    local = {"a.example": "192.168.0.1"}
    async with world(tmp_path, addresses=local, a=keeps(WHERE)) as w:
        await rests(w, "on this machine or the local network")
        assert w.web.connections == 0
    async with world(tmp_path, addresses=local, allow_local=True, a=keeps(WHERE)) as w:
        await w.complete()


async def test_a_password_goes_to_its_own_host_alone(tmp_path: Path, autojump_clock: MockClock):
    hosts: dict[str, Script] = {
        "a": in_turn(
            says("302 Found", {"Location": "/here", "Set-Cookie": "who=me"}),
            says("302 Found", {"Location": "http://b.example/payload.bin"}),
        ),
        "b": keeps(WHERE),
    }
    async with world(tmp_path, single("http://user:secret@a.example/"), hosts=hosts) as w:
        await w.complete()
        for asked in w.web.requests:
            assert ("authorization" in asked.headers) == (asked.host == "a.example")
            assert "cookie" not in asked.headers
            assert "referer" not in asked.headers


# -- what servers do wrong -------------------------------------------------------------------------------------------


def part(body: bytes = b"", **headers: object) -> Script:
    """Answers with a part, as asked but for these headers."""

    async def script(asked: Asked, stream: trio.abc.Stream) -> None:
        assert asked.range is not None
        start, end = asked.range
        usual = {"Content-Range": f"bytes {start}-{end - 1}/{len(PAYLOAD)}", "Content-Length": end - start}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        said = {name: value for name, value in {**usual, **named}.items() if value is not None}
        await stream.send_all(head("206 Partial Content", said) + (body or PAYLOAD[start:end]))
        if body:
            await stream.aclose()

    return script


def chunked(extra: int) -> Script:
    """Sends so much more, or less, than asked for, and does not say how much it will be."""

    async def script(asked: Asked, stream: trio.abc.Stream) -> None:
        assert asked.range is not None
        start, end = asked.range
        where = {"Content-Range": f"bytes {start}-{end - 1}/{len(PAYLOAD)}", "Transfer-Encoding": "chunked"}
        body = (PAYLOAD[start:end] + bytes(max(0, extra)))[: end - start + extra]
        await stream.send_all(head("206 Partial Content", where) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    return script


async def closes(asked: Asked, stream: trio.abc.Stream) -> None:
    await stream.aclose()


async def babbles(asked: Asked, stream: trio.abc.Stream) -> None:
    await stream.send_all(b"SSH-2.0-OpenSSH\r\n\r\n")


async def floods_with_headers(asked: Asked, stream: trio.abc.Stream) -> None:
    await stream.send_all(b"HTTP/1.1 206 Partial Content\r\n")
    for _ in range(1000):
        await stream.send_all(b"X-Spam: " + b"x" * 1000 + b"\r\n")


async def never_answers(asked: Asked, stream: trio.abc.Stream) -> None:
    await trio.sleep_forever()


async def stops_in_the_middle(asked: Asked, stream: trio.abc.Stream) -> None:
    assert asked.range is not None
    start, end = asked.range
    where = {"Content-Range": f"bytes {start}-{end - 1}/{len(PAYLOAD)}", "Content-Length": end - start}
    await stream.send_all(head("206 Partial Content", where) + PAYLOAD[start : min(start + 1000, end)])
    if end - start > 1000:
        await trio.sleep_forever()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (says("404 Not Found"), "has no such file: answered 404 Not Found"),
        (says("403 Forbidden"), "answered 403 Forbidden"),
        (says("500 Internal Server Error"), "answered 500 Internal Server Error"),
        (says("200 OK", body=b"<html>log in"), "has a file of 12 bytes, not 1311720"),
        (keeps({"/payload.bin": PAYLOAD[:1000]}), "has a "),
        (keeps({"/payload.bin": PAYLOAD + b"x"}), "has a file of 1311721 bytes, not 1311720"),
        (part(Content_Range="bytes 0-0/1311720"), "other bytes than were asked for"),
        (part(Content_Range=None), "does not say which bytes"),
        (part(Content_Length=5), "announces 5 bytes"),
        (part(Content_Encoding="gzip"), "packs what it sends"),
        (part(b"short"), "peer closed connection"),
        (chunked(-1), "sends other bytes than were asked for"),
        (chunked(1), "sends other bytes than were asked for"),
        (in_turn(part(), chunked(1)), "sends more than it said"),
        (in_turn(part(), chunked(-1)), "ended before all was sent"),
        (closes, "disconnected"),
        (babbles, "illegal status line"),
        (floods_with_headers, "Receive buffer too long"),
        (never_answers, "no answer within 15 s"),
        (stops_in_the_middle, "silent for 20 s"),
    ],
)
async def test_what_is_wrong_is_said(script: Script, words: str, tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, a=script) as w:
        await rests(w, words)
        if not w.torrent.status.downloaded:
            assert w.torrent.status.reason == f"no peers known ({w.seeds[0].error})"
            await trio.sleep(200)
            assert len(w.web.requests) < 25  # it is not asked again and again


async def test_wrong_bytes_convict_for_good(tmp_path: Path, autojump_clock: MockClock):
    wrong = bytearray(PAYLOAD)
    wrong[5 * PIECE] ^= 1
    urls = ("http://a.example/", "http://b.example/")
    hosts: dict[str, Script] = {"a": keeps({"/payload.bin": bytes(wrong)}), "b": keeps(WHERE, rate=20_000)}
    async with world(tmp_path, single(*urls), hosts=hosts) as w:
        await rests(w, "sent a wrong block", seconds=300)
        count = sum(asked.host == "a.example" for asked in w.web.requests)
        await w.complete(seconds=300)
        assert [seed.state for seed in w.seeds] == [WebSeedState.GIVEN_UP, WebSeedState.DONE]
        assert sum(asked.host == "a.example" for asked in w.web.requests) == count


async def test_a_server_that_was_away_is_used_again(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, a=keeps(WHERE, rate=200_000)) as w:
        await trio.sleep(2)
        assert 0 < w.torrent.status.done < len(PAYLOAD)
        w.web.hosts["a.example"], kept = closes, w.web.hosts["a.example"]
        w.web.down = True
        await rests(w, "", seconds=10)
        await trio.sleep(20)
        w.web.hosts["a.example"], w.web.down = kept, False
        await w.complete(seconds=60)


async def test_busy_servers_are_left_alone_as_long_as_they_wish(tmp_path: Path, autojump_clock: MockClock):
    busy = says("503 Service Unavailable", {"Retry-After": 100})
    async with world(tmp_path, a=in_turn(busy, keeps(WHERE))) as w:
        await rests(w, "answered 503 Service Unavailable")
        assert w.seeds[0].state is WebSeedState.RESTING
        assert 99 < (w.seeds[0].next_try or 0) <= 100
        await trio.sleep(90)
        assert len(w.web.requests) == 1
        await w.complete(seconds=15)


async def test_a_server_that_lacks_a_file_gives_the_others(tmp_path: Path, autojump_clock: MockClock):
    partial = {path: data for path, data in TREE.items() if not path.endswith("first é")}
    metainfo = folder()
    async with world(tmp_path, metainfo, a=keeps(partial)) as w:
        await rests(w, "has no such file")
        await trio.sleep(10)
        missing = only(w.torrent).layout.pieces_of(0, PIECE)
        status = w.torrent.status
        assert status.pieces - status.pieces_done == len(missing)
        assert w.seeds[0].state is WebSeedState.ACTIVE
        assert str(status.stall) == "no connected peer has what is missing"


async def test_a_server_without_ranges_is_read_as_it_comes(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, a=keeps(WHERE, ranges=False, rate=1e6)) as w:
        await w.complete(seconds=30)
        assert len(w.web.requests) <= 6


async def test_a_server_without_ranges_is_read_from_the_start_of_what_is_large(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("trio_torrent.wire.webseed.MOST_SKIPPED", PIECE)
    async with world(tmp_path, a=keeps(WHERE, ranges=False, rate=100_000)) as w:
        await w.complete(seconds=30)
        assert len(w.web.requests) == 2


async def test_a_server_without_ranges_is_of_no_use_for_what_is_far_in(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("trio_torrent.wire.webseed.MOST_SKIPPED", PIECE)
    write(tmp_path, {"payload.bin": PAYLOAD[: 10 * PIECE] + bytes(len(PAYLOAD) - 10 * PIECE)})
    async with world(tmp_path, a=keeps(WHERE, ranges=False)) as w:
        await rests(w, "cannot send parts of a file (HTTP ranges)")
        await trio.sleep(10)
        assert w.seeds[0].state is WebSeedState.GIVEN_UP
        assert len(w.web.requests) <= 4


async def test_an_idle_server_is_not_thought_dead(tmp_path: Path, autojump_clock: MockClock):
    async with world(tmp_path, folder(), a=keeps({})) as w:
        partial = {path: data for path, data in TREE.items() if path.endswith("z")}
        w.web.hosts["a.example"] = keeps(partial)
        await trio.sleep(1000)
        assert w.seeds[0].state is WebSeedState.ACTIVE


# -- reading ---------------------------------------------------------------------------------------------------------


async def test_what_is_read_comes_from_a_web_seed_wanted_or_not(tmp_path: Path, autojump_clock: MockClock):
    """It has left when all that is wanted was there, and comes again for the reader, who goes back and forth."""
    async with world(tmp_path, folder(), a=keeps(TREE), select=[3]) as there:
        with trio.fail_after(5):
            await there.torrent.wait_complete()
            await trio.sleep(1)
            async with there.torrent.files[3].open() as reader:
                content = FOLDER["z",]
                for at in (14 * PIECE, 5 * PIECE, 12 * PIECE + 7):
                    await reader.seek(at)
                    assert await reader.receive_some(100) == content[at : at + 100]
                await reader.seek(0)
                assert b"".join([data async for data in reader]) == content
        assert not there.torrent.files[3].wanted
