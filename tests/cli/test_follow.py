"""`get` and `seed`: what they tell, and how they end. In this process, over loopback."""

from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from tests.payload import random_bytes, single, write
from trio_torrent import Address, Metainfo, open_client
from trio_torrent.cli.exits import Exit
from trio_torrent.cli.follow import Follower, Orders, Stall, follow, together
from trio_torrent.cli.options import Network, SeedLimits
from trio_torrent.cli.voice import Voice
from trio_torrent.net.tracker_server import serve_tracker

from .running import LOCAL, events, seeding

DATA = random_bytes(10 * 32768 + 100)


@pytest.fixture
def source(tmp_path) -> str:
    path = tmp_path / "x.torrent"
    path.write_bytes(single(DATA).to_bytes())
    return str(path)


@pytest.fixture
def full(tmp_path) -> Path:
    """A folder that has all of it."""
    return write(tmp_path / "full", {"payload.bin": DATA})


def orders(folder: Path, *peers: Address, limits: SeedLimits | None = None, **more) -> Orders:
    network = Network(peers=peers, port=0, interface="127.0.0.1")
    return Orders(folder=folder, network=network, limits=limits or SeedLimits(), **more)


async def outcome(sources: list[str], order: Orders, *, quiet: bool = False) -> Exit:
    with trio.fail_after(10):
        return await follow(sources, order, Voice(as_json=True, quiet=quiet), trio.CancelScope())


async def test_getting(source, full, tmp_path, capsys):
    async with seeding(single(DATA), full) as peer:
        assert await outcome([source], orders(tmp_path / "out", peer)) is Exit.DONE
    assert (tmp_path / "out" / "payload.bin").read_bytes() == DATA
    output = capsys.readouterr()
    told = {str(event["event"]): event for event in events(output.out)}
    assert list(told)[:2] == ["added", "checked"]
    assert list(told)[-2:] == ["file-complete", "complete"]
    assert told["added"]["info_hash_v1"] == single(DATA).info_hashes.wire.hex()
    assert (told["added"]["size"], told["added"]["pieces"], told["added"]["piece_length"]) == (len(DATA), 11, 32768)
    assert told["file-complete"]["path"] == "payload.bin"
    assert told["complete"]["downloaded"] == len(DATA)
    assert {event["info_hash"] for event in told.values()} == {told["added"]["info_hash_v1"]}
    assert "payload.bin: complete, 320.1 KiB in " in output.err


async def test_what_is_there_already_is_not_fetched(source, full, capsys):
    assert await outcome([source], orders(full)) is Exit.DONE
    output = capsys.readouterr()
    assert events(output.out)[-1]["downloaded"] == 0
    assert output.err == "payload.bin: all 11 pieces are there\n"


async def test_quiet(source, full, capsys):
    assert await outcome([source], orders(full), quiet=True) is Exit.DONE
    assert capsys.readouterr().err == ""


async def test_one_bad_source_does_not_stop_the_others(source, full, tmp_path, capsys):
    broken = tmp_path / "broken.torrent"
    broken.write_bytes(b"nonsense")
    magnet = "magnet:?dn=nothing"
    assert await outcome([str(broken), magnet, source, source], orders(full)) is Exit.INVALID
    output = capsys.readouterr()
    told = events(output.out)
    errors = [event for event in told if event["event"] == "error"]
    assert sorted(str(event["source"]) for event in errors) == sorted([str(broken), magnet])
    assert {event["kind"] for event in errors} == {"invalid"}
    assert sum(event["event"] == "complete" for event in told) == 1
    assert "the same torrent as another source" in output.err
    assert "not a magnet link: it has no info-hash" in output.err


@pytest.mark.slow
async def test_giving_up(source, tmp_path, capsys):
    assert await outcome([source], orders(tmp_path / "out", stall_seconds=0.1)) is Exit.STALLED
    output = capsys.readouterr()
    told = events(output.out)
    assert [event["event"] for event in told][-2:] == ["stalled", "error"]
    assert told[-2]["reason"] == "no peers known"
    assert told[-1]["kind"] == "stalled"
    assert output.err.endswith("payload.bin: nothing has arrived for 100 ms: no peers known\n")


@pytest.mark.slow
async def test_progress_is_told(source, tmp_path, capsys):
    await outcome([source], orders(tmp_path / "out", stall_seconds=0.1))
    first = next(event for event in events(capsys.readouterr().out) if event["event"] == "progress")
    assert {name: first[name] for name in ("done", "total", "downloaded", "uploaded", "down_rate", "up_rate")} == {
        "done": 0,
        "total": len(DATA),
        "downloaded": 0,
        "uploaded": 0,
        "down_rate": 0,
        "up_rate": 0,
    }
    assert {"state", "peers", "seeds", "reason", "info_hash"} <= set(first)


async def test_a_disk_that_fails(source, full, tmp_path, capsys):
    blocked = tmp_path / "out"
    (blocked / "payload.bin").mkdir(parents=True)  # where the file should be
    async with seeding(single(DATA), full) as peer:
        assert await outcome([source], orders(blocked, peer)) is Exit.DISK
    assert events(capsys.readouterr().out)[-1]["kind"] == "disk"


@pytest.mark.slow
async def test_seeding_for_a_time(source, full, capsys):
    limits = SeedLimits(seconds=0.5)
    assert await outcome([source], orders(full, limits=limits)) is Exit.DONE
    assert await outcome([source], orders(full, limits=limits, seed=True)) is Exit.DONE
    assert capsys.readouterr().err.count("seeded enough") == 2


@pytest.mark.slow
async def test_seeding_for_a_ratio(source, full, tmp_path, nursery):
    """The seeder ends when somebody has fetched all of it."""
    tracker = await nursery.start(partial(serve_tracker, random=Random(1)))
    path = tmp_path / "tracked.torrent"
    path.write_bytes(single(DATA, announce=tracker.url).to_bytes())
    codes = {}

    async def do(name, order):
        codes[name] = await outcome([str(path)], order)

    async with trio.open_nursery() as both:
        both.start_soon(do, "seed", orders(full, limits=SeedLimits(ratio=1), seed=True))
        with trio.fail_after(5):
            while not tracker.registry.torrents:  # noqa: ASYNC110 - the registry tells nobody
                await trio.sleep(0.01)
        both.start_soon(do, "get", orders(tmp_path / "out"))
    assert codes == {"seed": Exit.DONE, "get": Exit.DONE}
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("damage", [b"", DATA[:40000], b"\x00" + DATA[1:]])
async def test_incomplete_data_is_not_seeded(damage, source, tmp_path, capsys):
    folder = write(tmp_path / "part", {"payload.bin": damage})
    assert await outcome([source], orders(folder, seed=True)) is Exit.UNVERIFIED
    told = events(capsys.readouterr().out)
    good = {0: 0, 40000: 1, len(DATA): 10}[len(damage)]
    assert told[-2] == {"event": "checked", "info_hash": told[0]["info_hash"], "have": good, "pieces": 11}
    assert told[-1]["kind"] == "unverified"
    assert f"only {good} of 11 pieces" in str(told[-1]["message"])


@pytest.mark.slow
async def test_interrupting(source, full, tmp_path):
    """Before it is complete it is 130; a download that is complete and only seeds is done."""

    async def interrupted(order: Orders) -> Exit:
        scope = trio.CancelScope()
        voice = Voice(as_json=False, quiet=True)
        code = None

        async def go():
            nonlocal code
            code = await follow([source], order, voice, scope)

        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(go)
                await trio.sleep(0.1)
                scope.cancel()
        assert code is not None
        return code

    limits = SeedLimits(seconds=1000)
    assert await interrupted(orders(tmp_path / "out")) is Exit.INTERRUPTED
    assert await interrupted(orders(full, limits=limits, seed=True)) is Exit.INTERRUPTED
    assert await interrupted(orders(full, limits=limits)) is Exit.DONE


async def test_a_port_that_is_taken_is_said(source, full, capsys):
    with trio.socket.socket() as taken:
        await taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        order = Orders(folder=full, network=Network(port=port, interface="127.0.0.1"), limits=SeedLimits())
        assert await outcome([source], order) is Exit.DONE
    assert f"port {port} is taken: peers reach us at " in capsys.readouterr().err


async def test_a_torrent_that_ends_by_itself_is_a_bug(source, full, capsys):
    follower = Follower(source, orders(full, limits=SeedLimits(seconds=1000)), Voice(as_json=True, quiet=True))
    with trio.fail_after(5):
        async with open_client(LOCAL) as client, trio.open_nursery() as nursery:
            nursery.start_soon(follower.run, client)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert follower.torrent is not None
            await follower.torrent.stop()
    assert follower.exit is Exit.BUG
    assert "has stopped without a reason: this is a bug" in capsys.readouterr().err


def test_stalling():
    stall = Stall(10, now=100)
    assert not stall.stalled(0, 109)
    assert stall.stalled(0, 110)
    assert not stall.stalled(5, 111)  # something came
    assert not stall.stalled(5, 120)
    assert stall.stalled(5, 121)


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([Exit.DONE, Exit.DONE], Exit.DONE),
        ([Exit.DONE, Exit.DISK, Exit.STALLED], Exit.DISK),
        ([Exit.INVALID, Exit.INTERRUPTED], Exit.INTERRUPTED),
    ],
)
def test_the_code_of_several(codes, code):
    assert together(codes) is code


def test_before_it_is_loaded_there_is_nothing_to_see(tmp_path):
    follower = Follower("x", orders(tmp_path), Voice(as_json=True, quiet=True))
    follower.tick(0.0)
    assert follower.row is None


# -- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["link", "hash"])
async def test_getting_by_a_link(written: str, full, tmp_path, capsys):
    link = single(DATA).magnet
    source = str(link) if written == "link" else link.info_hashes.wire.hex()
    kept = tmp_path / "kept.torrent"
    async with seeding(single(DATA), full) as peer:
        assert await outcome([source], orders(tmp_path / "out", peer, save_torrent=kept)) is Exit.DONE
    assert (tmp_path / "out" / "payload.bin").read_bytes() == DATA
    assert Metainfo.from_file(kept).info_bytes == single(DATA).info_bytes
    output = capsys.readouterr()
    told = {str(event["event"]): event for event in events(output.out)}
    assert [name for name in told if name != "progress"][:3] == ["added", "metadata", "checked"]
    assert told["added"]["name"] == ("payload.bin" if written == "link" else None)
    assert (told["added"]["size"], told["added"]["info_hash_v1"]) == (None, link.info_hashes.wire.hex())
    assert (told["metadata"]["name"], told["metadata"]["size"]) == ("payload.bin", len(DATA))
    assert "asking peers what there is" in output.err
    assert f"its .torrent is {kept}" in output.err


async def test_a_torrent_is_kept_at_once(source, full, tmp_path, capsys):
    kept = tmp_path / "kept.torrent"
    assert await outcome([source], orders(full, save_torrent=kept)) is Exit.DONE
    assert Metainfo.from_file(kept).to_bytes() == single(DATA).to_bytes()


@pytest.mark.slow
async def test_a_link_of_which_nobody_knows_more(tmp_path, capsys):
    link = str(single(DATA).magnet)
    assert await outcome([link], orders(tmp_path / "out", stall_seconds=0.1)) is Exit.STALLED
    output = capsys.readouterr()
    (stalled,) = [event for event in events(output.out) if event["event"] == "stalled"]
    assert stalled["reason"] == "no peers known"
    assert "payload.bin: nothing has arrived for " in output.err


async def test_a_link_cannot_be_seeded(full, capsys):
    assert await outcome([str(single(DATA).magnet)], orders(full, seed=True)) is Exit.INVALID
    assert "a link does not say what there is" in capsys.readouterr().err
