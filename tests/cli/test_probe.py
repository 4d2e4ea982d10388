"""`probe`: its lines, to the letter."""

import socket

import pytest
import trio

from tests.payload import random_bytes, single, write
from trio_torrent import Address, Found, PeerError, Probed, Reached, Step
from trio_torrent.bitfield import Bitfield
from trio_torrent.cli.exits import CommandError, Exit
from trio_torrent.cli.probe import Block, Guide, Request, probe, read_sample
from trio_torrent.net.tracker_server import serve_tracker

from .running import events, seeding

DATA = random_bytes(10 * 32768 + 100)
ANNOUNCE = "http://tracker.example:6969/announce"
PEER = Address("85.134.8.12", 51413)


def guide(*, as_json: bool = False) -> Guide:
    return Guide(single(DATA, announce=ANNOUNCE), as_json=as_json)


def test_the_whole_tour(capsys):
    tour = guide()
    tour.begin()
    for seen in (
        Step.ANNOUNCING,
        Found(50, ANNOUNCE),
        Step.PROBING,
        Reached(Address("::1", 5), None, "no answer within 15 s"),
        Reached(PEER, b"-TR3000-ev59bulyuscr", None),
        Probed(PEER, b"-TR3000-ev59bulyuscr", Bitfield.full(2680)),
        Step.SAYING_INTERESTED,
        Step.WAITING_FOR_UNCHOKE,
        Step.REQUESTING,
        Step.WAITING_FOR_PIECE,
    ):
        tour.report(seen)
    tour.received(Block(0, 0, 128), b"ER" * 64)
    assert tour.compare(b"ER" * 64, b"ER" * 64) is Exit.DONE
    assert capsys.readouterr().out == (
        "* Total pieces 11, piece length 32768\n"
        "* Your announce url is: http://tracker.example:6969/announce\n"
        "* Total 50 peers\n"
        "* Probing peers...\n"
        "[::1]:5\t-> Err(no answer within 15 s)\n"
        '85.134.8.12:51413\t-> OK("-TR3000-ev59bulyuscr")\n'
        "* Connected to peer: 85.134.8.12:51413\n"
        "* Received bitfield: ffffffffffffffffffffffffffffffff…\n"
        "* Sending `interested` message\n"
        "* Receiving `unchoke` message\n"
        "* Unchoked, requesting data block\n"
        "* Receiving `piece` message\n"
        "* Received block of piece 0 at offset 0: 45524552455245524552455245524552…\n"
        "* RECEIVED BLOCK MATCHES SAMPLE DATA\n"
    )


def test_another_tracker_is_named(capsys):
    tour = guide()
    tour.report(Step.ANNOUNCING)
    tour.report(Found(1, "http://second.example/announce"))
    assert capsys.readouterr().out.splitlines() == [
        f"* Your announce url is: {ANNOUNCE}",
        "* Your announce url is: http://second.example/announce",
        "* Total 1 peers",
    ]


def test_a_block_that_differs(capsys):
    assert guide().compare(b"a", b"b") is Exit.UNVERIFIED
    assert capsys.readouterr().out == "* RECEIVED BLOCK DIFFERS FROM SAMPLE DATA\n"


def test_strangers_names_are_made_readable(capsys):
    tour = guide()
    tour.report(Reached(PEER, b'-\x1b[2J\x00\xff"\\' + b"x" * 10, None))
    tour.report(Reached(PEER, None, "bad\x1b[2J\tnews"))
    output = capsys.readouterr().out
    assert '-> OK("-\\x1b[2J\\x00\\xff\\x22\\x5cxxxxxxxxxx")\n' in output
    assert "85.134.8.12:51413\t-> Err(bad\ufffd[2J\ufffdnews)\n" in output


def test_samples(tmp_path):
    content, block = tmp_path / "content", tmp_path / "block"
    content.write_bytes(bytes(range(100)))
    block.write_bytes(b"block")
    assert read_sample(content, 40, 5) == bytes(range(40, 45))
    assert read_sample(content, 95, 5) == bytes(range(95, 100))
    assert read_sample(block, 40, 5) == b"block"
    with pytest.raises(CommandError, match="has no 5 bytes at 96 to compare with") as caught:
        read_sample(content, 96, 5)
    assert caught.value.code is Exit.USAGE


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path, {"payload.bin": DATA, "x.torrent": single(DATA).to_bytes()})


async def taken(folder, request: Request, *, as_json: bool = False) -> Exit:
    with trio.fail_after(10):
        return await probe(str(folder / "x.torrent"), request, trio.CancelScope(), as_json=as_json)


async def test_a_real_peer(folder, capsys):
    async with seeding(single(DATA), folder) as peer:
        request = Request(Block(2, 100, 20), folder / "payload.bin", (peer,), "127.0.0.1")
        assert await taken(folder, request) is Exit.DONE
        lines = capsys.readouterr().out.splitlines()
        expected = DATA[2 * 32768 + 100 :][:16].hex()
        assert lines[-2:] == [
            f"* Received block of piece 2 at offset 100: {expected}…",
            "* RECEIVED BLOCK MATCHES SAMPLE DATA",
        ]
        assert await taken(folder, request, as_json=True) is Exit.DONE
        told = events(capsys.readouterr().out)
        assert [event["event"] for event in told] == [
            "torrent",
            "found",
            "probing",
            "peer",
            "bitfield",
            "saying-interested",
            "waiting-for-unchoke",
            "requesting",
            "waiting-for-piece",
            "block",
            "sample",
        ]
        assert told[-2]["data"] == DATA[2 * 32768 + 100 :][:20].hex()
        with pytest.raises(CommandError, match="there is no piece 11"):
            await taken(folder, Request(Block(11, 0, 20), None, (peer,)))


async def test_peers_from_a_tracker(folder, nursery, capsys):
    tracker = await nursery.start(serve_tracker)
    metainfo = single(DATA, announce=tracker.url)
    (folder / "x.torrent").write_bytes(metainfo.to_bytes())
    async with seeding(metainfo, folder):
        with trio.fail_after(5):
            while not tracker.registry.torrents:  # noqa: ASYNC110 - the registry tells nobody
                await trio.sleep(0.01)
        assert await taken(folder, Request(Block(0, 0, 128))) is Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == [f"* Your announce url is: {tracker.url}", "* Total 1 peers", "* Probing peers..."]
    nursery.cancel_scope.cancel()


async def test_nobody_answers(folder, capsys):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        peer = Address("127.0.0.1", closed.getsockname()[1])
        with pytest.raises(PeerError, match="no peer answered"):
            await taken(folder, Request(Block(0, 0, 128), None, (peer,)))
    assert f"{peer}\t-> Err(" in capsys.readouterr().out
