"""`demo`: everything at once."""

import os
from pathlib import Path

import pytest
import trio

from trio_torrent.cli import demo as module
from trio_torrent.cli.demo import check_room, demo, make_payload, piece_length
from trio_torrent.cli.exits import CommandError, Exit
from trio_torrent.cli.voice import Voice

from .running import events


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


async def test_it_works_and_leaves_nothing(temporary, capsys):
    with trio.fail_after(10):
        assert await demo(1_000_003, Voice(as_json=True, quiet=False), trio.CancelScope()) is Exit.DONE
    output = capsys.readouterr()
    told = {str(event["event"]): event for event in events(output.out)}
    assert (told["added"]["size"], told["figures"]["seeders"]) == (1_000_003, 2)
    assert told["compared"]["identical"] is True
    lines = output.err.splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "made",
        "started",
        "started",
        "started",
        "payload.bin:",
        "that",
        "every",
    ]
    assert list(temporary.iterdir()) == []


async def test_bytes_that_differ(temporary, monkeypatch, capsys):
    def wrong(folder: Path, total: int, may_go_on):
        payload = make_payload(folder, total, may_go_on)
        return module.Payload(payload.path, payload.size, b"\x00" * 32)

    monkeypatch.setattr(module, "make_payload", wrong)
    assert await demo(100_000, Voice(as_json=True, quiet=True), trio.CancelScope()) is Exit.UNVERIFIED
    assert events(capsys.readouterr().out)[-1]["kind"] == "unverified"


async def test_an_interruption_leaves_nothing(temporary):
    scope = trio.CancelScope()
    scope.cancel()
    assert await demo(100_000, Voice(as_json=False, quiet=True), scope) is Exit.INTERRUPTED
    assert list(temporary.iterdir()) == []


def test_the_data_must_fit_twice():
    check_room(1 << 30, 3 << 30, "/tmp")
    with pytest.raises(CommandError, match=r"/tmp has 2\.0 GiB left, too little for twice 1\.0 GiB") as caught:
        check_room(1 << 30, 2 << 30, "/tmp")
    assert caught.value.code is Exit.DISK


@pytest.mark.parametrize(
    ("total", "length"),
    [(1, 1 << 14), (1 << 20, 1 << 14), (4 << 20, 1 << 16), (256 << 20, 1 << 18), (1 << 40, 1 << 18)],
)
def test_pieces(total, length):
    assert piece_length(total) == length


def test_making_the_payload_can_be_stopped(tmp_path):
    calls = iter([None, None])
    with pytest.raises(StopIteration):
        make_payload(tmp_path, 1 << 40, calls.__next__)
    assert (tmp_path / "payload.bin").stat().st_size == 2 << 20


def test_the_payload_is_what_it_says(tmp_path):
    payload = make_payload(tmp_path, 3_000_001, lambda: None)
    assert payload.path.stat().st_size == 3_000_001
    assert len(payload.digest) == 32
    assert os.listdir(tmp_path) == ["payload.bin"]
