"""Nothing that strangers have written moves the cursor, whatever is done with their torrent."""

from __future__ import annotations

import hashlib

import pytest

from trio_torrent.bencode import Value, encode

from .running import EASY, exit_of

# Escape sequences that clear the screen and set the title, an eight-bit one, an override of the writing direction,
# a bell, line ends, a zero-width space, and a character that is none.
NASTY = "a\x1b[2Jb\x1b]0;owned\x07\x9b31m\u202ecod.exe\r\nc\u200b\ufffe\u2028d"
QUIET = [*EASY, "--no-dht", "--no-lsd", "--stall-timeout", "0.1s"]


@pytest.fixture
def torrent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, data = NASTY.encode(), b"data"
    info: dict[bytes, Value] = {
        b"files": [{b"length": len(data), b"path": [text, text]}],
        b"name": text,
        b"piece length": 16384,
        b"pieces": hashlib.sha1(data).digest(),
        b"source": text,
    }
    metainfo: dict[bytes, Value] = {
        b"announce": b"http://127.0.0.1:1/announce?" + text,
        b"announce-list": [[b"http://127.0.0.1:1/announce", text]],
        b"comment": text,
        b"created by": text,
        b"info": info,
        b"url-list": [b"http://127.0.0.1:1/" + text, text],
    }
    (tmp_path / "x.torrent").write_bytes(encode(metainfo))
    return "x.torrent"


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize(
    "arguments",
    [
        ["get", *QUIET, "-v"],
        ["get", "--list"],
        ["get", "--select", NASTY.replace("[", "?"), *QUIET, "--on-done", "printenv TRIO_TORRENT_DONE_NAME"],
        ["seed", *EASY, "--no-dht"],
        ["info", "--list"],
        ["verify"],
        ["probe", "--peer", "127.0.0.1:1", "--length", "4"],
    ],
)
def test_whatever_is_done_with_it(arguments, more, torrent, capsys):
    assert exit_of(*arguments, torrent, *more) in (0, 2, 4, 6)
    output, errors = capsys.readouterr()
    for text in (output, errors):
        assert all(line.replace("\t", " ").isprintable() for line in text.split("\n")), text


@pytest.mark.parametrize("command", ["get", "info", "create", "verify", "seed", "magnet", "probe"])
def test_what_is_typed_is_no_better(command, capsys):
    network = [*EASY, "--no-dht"] if command in ("get", "seed") else []
    assert exit_of(command, NASTY, *network) in (2, 3)
    output, errors = capsys.readouterr()
    assert output == ""
    *_, last = errors.splitlines()
    assert last.isprintable()


def test_a_magnet_link_is_escaped(torrent, capsys):
    assert exit_of("magnet", torrent) == 0
    assert capsys.readouterr().out.rstrip("\n").isprintable()
