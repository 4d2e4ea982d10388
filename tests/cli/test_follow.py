"""`get` and `seed`: what they tell, and how they end. In this process, over loopback."""

import json
import shutil
import sys
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace

import attrs
import pytest
import trio
import trio.testing

from tests.payload import multi, random_bytes, single, write
from trio_torrent import Address, Metainfo, State, open_client
from trio_torrent.cli.claims import Claims
from trio_torrent.cli.exits import Exit
from trio_torrent.cli.follow import follow, together
from trio_torrent.cli.follower import Follower, Orders, Stall
from trio_torrent.cli.voice import Voice
from trio_torrent.cli.wishes import Network, SeedLimits
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


async def outcome(sources: list[str], order: Orders, *, quiet: bool = False, verbose: bool = False) -> Exit:
    with trio.fail_after(10):
        return await follow(sources, order, Voice(as_json=True, quiet=quiet, verbose=verbose), trio.CancelScope())


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
    assert output.err == "payload.bin: all 11 pieces are there, and verified\n"


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
    follower = Follower(
        source, orders(full, limits=SeedLimits(seconds=1000)), Voice(as_json=True, quiet=True), Claims()
    )
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
    follower = Follower("x", orders(tmp_path), Voice(as_json=True, quiet=True), Claims())
    follower.tick(0.0)
    assert follower.row is None


# -- several, and the end --------------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path) -> list[str]:
    """Torrents whose data is in `full`."""
    sources = []
    for number in range(3):
        data = random_bytes(50_000, number)
        write(tmp_path / "full", {f"file{number}": data})
        path = tmp_path / f"{number}.torrent"
        path.write_bytes(single(data, name=f"file{number}").to_bytes())
        sources.append(str(path))
    return sources


async def test_several_at_once(three, tmp_path, capsys):
    assert await outcome([*three, three[0]], orders(tmp_path / "full")) is Exit.DONE
    told = capsys.readouterr()
    done = [event for event in events(told.out) if event["event"] == "complete"]
    assert len({event["info_hash"] for event in done}) == 3
    assert {(event["already"], event["ratio"], event["done"], event["total"]) for event in done} == {
        (True, 0.0, 50_000, 50_000)
    }
    assert told.err.splitlines()[-1].startswith("3 of 3 torrents complete, 146.5 KiB in ")


async def test_those_that_cannot_be_are_counted(three, full, tmp_path, capsys):
    assert await outcome([*three, str(tmp_path / "nope")], orders(tmp_path / "full")) is Exit.INVALID
    assert capsys.readouterr().err.splitlines()[-1].startswith("3 of 4 torrents complete, ")


async def test_two_that_would_write_one_file(source, full, tmp_path, capsys):
    other = tmp_path / "other.torrent"
    other.write_bytes(single(random_bytes(len(DATA), 9)).to_bytes())
    assert await outcome([source, str(other)], orders(full, stall_seconds=0.1)) in (Exit.USAGE, Exit.STALLED)
    errors = [event for event in events(capsys.readouterr().out) if event["event"] == "error"]
    assert "payload.bin is in " in str(errors[0]["message"])
    assert (full / "payload.bin").read_bytes() == DATA


@pytest.mark.slow
async def test_interrupted_it_says_how_far_it_got(three, full, tmp_path, capsys):
    scope = trio.CancelScope()
    order = orders(tmp_path / "full", limits=SeedLimits(seconds=1000))
    (tmp_path / "full" / "file1").unlink()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(follow, three[:2], order, Voice(as_json=False, quiet=False), scope))
            await trio.sleep(0.5)
            scope.cancel()
    *_, first, second, all_of_them, onward = capsys.readouterr().err.splitlines()
    assert first.startswith("file0: 0 B uploaded in ")
    assert second.startswith("file1: 0.0% of 48.8 KiB in ")
    assert all_of_them.startswith("1 of 2 torrents complete, 48.8 KiB in ")
    assert onward == "the same command goes on from there"


async def test_what_cannot_begin_is_stopped_while_others_go_on(source, tmp_path, monkeypatch, capsys):
    """The engine would wait for room. Nobody is told of it any more, so it must not."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10**12, free=100))
    with trio.fail_after(5):
        async with open_client(LOCAL) as client:
            follower = Follower(source, orders(tmp_path / "out"), Voice(as_json=True, quiet=True), Claims())
            await follower.run(client)
            assert follower.exit is Exit.DISK
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert follower.torrent is not None
            assert follower.torrent.status.state is State.STOPPED
    assert "more are needed" in capsys.readouterr().err


@pytest.mark.slow
async def test_where_peers_come_from_is_told_when_there_is_news(full, tmp_path, nursery, capsys):
    tracker = await nursery.start(partial(serve_tracker, random=Random(1)))
    path = tmp_path / "tracked.torrent"
    path.write_bytes(single(DATA, announce=tracker.url).to_bytes())
    order = orders(tmp_path / "out", Address("127.0.0.1", 1), stall_seconds=2.5)
    assert await outcome([str(path)], order, verbose=True) is Exit.STALLED
    nursery.cancel_scope.cancel()
    output = capsys.readouterr()
    told = [event for event in events(output.out) if event["event"] == "sources"]
    assert 1 <= len(told) <= 3
    assert told[-1]["named"] == {"the user": 1}
    trackers = json.dumps(told[-1]["trackers"])
    assert f'"url": "{tracker.url}", "tier": 0' in trackers
    assert '"error": null' in trackers
    place = tracker.url.split("/")[2]
    assert sum(f"  tracker {place}: " in line for line in output.err.splitlines()) == 1
    assert "  --peer and the link: 1 address known" in output.err.splitlines()


async def test_what_is_run_when_it_is_complete(source, full, tmp_path, capsys):
    said = tmp_path / "said"
    script = f"env > {said}; echo hello; exit 7"
    order = orders(full, on_done=("sh", "-c", script))
    assert await outcome([source], order) is Exit.DONE
    output = capsys.readouterr()
    told = {line.partition("=")[0]: line.partition("=")[2] for line in said.read_text().splitlines()}
    assert told["TRIO_TORRENT_DONE_PATH"] == str(full / "payload.bin")
    assert told["TRIO_TORRENT_DONE_FOLDER"] == str(full)
    assert told["TRIO_TORRENT_DONE_NAME"] == "payload.bin"
    assert told["TRIO_TORRENT_DONE_INFO_HASH"] == single(DATA).info_hashes.wire.hex()
    assert (told["TRIO_TORRENT_DONE_SIZE"], told["TRIO_TORRENT_DONE_DOWNLOADED"]) == (str(len(DATA)), "0")
    assert told["TRIO_TORRENT_DONE_SOURCE"] == source
    assert events(output.out)[-1]["failure"] == "sh ended with exit code 7"
    first, running, *rest = output.err.splitlines()
    assert first.startswith("payload.bin: all 11 pieces are there")
    assert running == f"payload.bin: running sh -c '{script}'"
    assert rest == [
        "payload.bin: hello",
        "trio-torrent: payload.bin: complete, but --on-done failed: sh ended with exit code 7",
    ]


async def test_what_is_run_is_told_no_name_that_moves_the_cursor(tmp_path):
    name, said = "a\x1b[2J\u202eb", tmp_path / "said"
    metainfo = single(DATA, name=name)
    (tmp_path / "x.torrent").write_bytes(metainfo.to_bytes())
    write(tmp_path / "full", {"/".join(metainfo.files[0].path): DATA})
    order = orders(tmp_path / "full", on_done=("sh", "-c", f'printf %s "$TRIO_TORRENT_DONE_NAME" > {said}'))
    assert await outcome([str(tmp_path / "x.torrent")], order, quiet=True) is Exit.DONE
    assert said.read_text().isprintable()
    assert said.read_text().startswith("a")


@pytest.mark.slow
async def test_nothing_is_run_when_it_is_not_complete(source, tmp_path):
    order = orders(tmp_path / "out", on_done=("touch", str(tmp_path / "ran")), stall_seconds=0.1)
    assert await outcome([source], order) is Exit.STALLED
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
async def test_what_is_run_ends_with_us_and_that_is_told(source, full, tmp_path, capsys):
    mark, interrupt = tmp_path / "begun", trio.CancelScope()
    program = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"

    async def interrupt_it() -> None:
        while not mark.exists():  # noqa: ASYNC110 - another process makes it
            await trio.sleep(0.01)
        interrupt.cancel()

    order = orders(full, on_done=(sys.executable, "-c", program, str(mark)))
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt_it)
            await follow([source], order, Voice(as_json=True, quiet=True), interrupt)
    (told,) = [event for event in events(capsys.readouterr().out) if event["event"] == "on-done"]
    assert told["failure"] == "interrupted"


async def test_the_end_of_seeding_waits_for_what_is_run(source, full, tmp_path):
    """It is run once, and outlives the torrent."""
    ran = tmp_path / "ran"
    order = orders(full, on_done=("sh", "-c", f"sleep 1.5; echo x >> {ran}"), limits=SeedLimits(seconds=0.1))
    assert await outcome([source], order, quiet=True) is Exit.DONE
    assert ran.read_text() == "x\n"


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


async def test_a_link_to_a_hybrid_is_kept_whoever_serves_it(full, tmp_path, capsys):
    """Its piece layers may never come, and SHA-1 does without."""
    metainfo = await Metainfo.create(full / "payload.bin", piece_length=32768)
    kept = tmp_path / "kept.torrent"
    async with seeding(metainfo, full) as peer:
        assert await outcome([str(metainfo.magnet)], orders(tmp_path / "out", peer, save_torrent=kept)) is Exit.DONE
    assert Metainfo.from_file(kept).info_bytes == metainfo.info_bytes


async def test_every_file_is_told_of_however_many_one_piece_completes(tmp_path, capsys):
    files = {f"{number:04}": b"tiny" for number in range(2000)}
    metainfo = multi(files)
    there = write(tmp_path / "there", {f"folder/{name}": data for name, data in files.items()})
    write(tmp_path, {"many.torrent": metainfo.to_bytes()})
    async with seeding(metainfo, there) as peer:
        with trio.fail_after(20):
            assert await outcome([str(tmp_path / "many.torrent")], orders(tmp_path / "out", peer)) is Exit.DONE
    told = [event["event"] for event in events(capsys.readouterr().out)]
    assert told.count("file-complete") == 2000
    assert told.count("complete") == 1


async def test_records_that_cannot_be_kept_are_no_reason_to_stop(source, full, tmp_path, capsys):
    write(tmp_path, {"a file": b""})
    order = orders(full)
    order = attrs.evolve(order, data=attrs.evolve(order.data, state_folder=tmp_path / "a file" / "state"))
    assert await outcome([source], order) is Exit.DONE
    assert "Not a directory: what is verified cannot be remembered there" in capsys.readouterr().err


async def test_a_folder_that_cannot_be_is_told_to_programs(source, tmp_path, capsys):
    write(tmp_path, {"a file": b""})
    assert await outcome([source], orders(tmp_path / "a file" / "out")) is Exit.DISK
    last = events(capsys.readouterr().out)[-1]
    assert (last["event"], last["kind"]) == ("error", "disk")


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
