"""`verify`: what is good, what is not, and what to do."""

import os
import signal

import pytest
import trio

from tests.payload import multi, random_bytes, write

from .running import events, exit_of, start

PIECE = 16384
PARTS = {"a": random_bytes(PIECE + 100, 1), "b": random_bytes(50, 2), "c": random_bytes(3 * PIECE, 3)}
METAINFO = multi(PARTS, piece_length=PIECE)  # a is in pieces 0 and 1, b in 1, c in 1 to 4


@pytest.fixture
def data(tmp_path):
    """Where the folder and the torrent are."""
    write(tmp_path, {"x.torrent": METAINFO.to_bytes()})
    write(tmp_path / "folder", PARTS)
    return tmp_path


def test_complete(data, capsys):
    assert exit_of("verify", data / "x.torrent", "-d", data) == 0
    output, errors = capsys.readouterr()
    assert output.splitlines() == ["      good  3 of 3 files", "      good  5 of 5 pieces, 64.1 KiB"]
    assert errors == ""


def test_the_current_folder_is_the_default(data, monkeypatch):
    monkeypatch.chdir(data)
    assert exit_of("verify", "x.torrent") == 0


def test_not_complete(data, capsys):
    (data / "folder/b").unlink()
    with (data / "folder/c").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
    assert exit_of("verify", data / "x.torrent", "-d", data) == 6
    output, errors = capsys.readouterr()
    assert output.splitlines() == [
        "     99.3%  folder/a",
        "   missing  folder/b",
        "     66.6%  folder/c",
        "      good  0 of 3 files",
        "      good  3 of 5 pieces, 64.1 KiB",
    ]
    assert errors == (
        "trio-torrent: folder: 3 of 5 pieces good, 1 bad, 1 missing; "
        f"`trio-torrent get {data / 'x.torrent'} -o {data}` fetches the rest\n"
    )


def test_for_programs(data, capsys):
    (data / "folder/b").write_bytes(bytes(50))
    assert exit_of("verify", data / "x.torrent", "-d", data, "--json") == 6
    output, errors = capsys.readouterr()
    assert events(output) == [
        {
            "name": "folder",
            "pieces": 5,
            "good": 4,
            "bad": 1,
            "missing": 0,
            "complete": False,
            "files": [
                {"path": "folder/a", "length": PIECE + 100, "good_bytes": PIECE, "complete": False},
                {"path": "folder/b", "length": 50, "good_bytes": 0, "complete": False},
                {"path": "folder/c", "length": 3 * PIECE, "good_bytes": 2 * PIECE + 150, "complete": False},
            ],
        }
    ]
    assert "1 bad" in errors


def test_quiet(data, capsys):
    assert exit_of("verify", data / "x.torrent", "-d", data, "-q") == 0
    assert capsys.readouterr() == ("", "")


def test_a_missing_folder_is_said_plainly(data, capsys):
    assert exit_of("verify", data / "x.torrent", "-d", data / "none") == 2
    assert "none' does not exist" in capsys.readouterr().err
    (data / "elsewhere").mkdir()
    assert exit_of("verify", data / "x.torrent", "-d", data / "elsewhere", "-q") == 6
    assert f"folder: there is no {data}/elsewhere/folder; try -d {data}" in capsys.readouterr().err
    (data / "folder").rename(data / "other")
    assert exit_of("verify", data / "x.torrent", "-d", data / "other", "-q") == 6
    assert capsys.readouterr().err == f"trio-torrent: folder: there is no {data}/other/folder\n"


def test_sources_that_cannot_be_verified(data, capsys):
    for source in (data / "none", "0" * 40):
        assert exit_of("verify", source, "-d", data) == 3
        assert capsys.readouterr().err.startswith("trio-torrent: ")


def test_names_cannot_reach_the_terminal_as_they_are(tmp_path, capsys):
    (tmp_path / "x.torrent").write_bytes(multi({"a\N{ZERO WIDTH SPACE}b": b"x"}).to_bytes())
    assert exit_of("verify", tmp_path / "x.torrent", "-d", tmp_path) == 6
    assert "   missing  folder/a\ufffdb" in capsys.readouterr().out


@pytest.mark.slow
async def test_interrupted(tmp_path, nursery):
    with (tmp_path / "payload.bin").open("wb") as file:
        file.truncate(1 << 39)
    length = 16 << 20
    info = b"d6:lengthi%de4:name11:payload.bin12:piece lengthi%de6:pieces%d:" % (1 << 39, length, 20 << 15)
    (tmp_path / "x.torrent").write_bytes(b"d4:info" + info + bytes(20 << 15) + b"ee")
    process = await nursery.start(start("verify", tmp_path / "x.torrent", "-d", tmp_path))
    with trio.fail_after(10):
        seen = b""
        while b"checking" not in seen:
            seen += await process.stderr.receive_some()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 130
