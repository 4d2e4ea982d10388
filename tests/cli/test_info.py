"""`info`: for people and for programs."""

import os
import subprocess
from functools import partial

import attrs
import pytest
import trio

from tests.payload import multi, random_bytes, single, write
from trio_torrent import Magnet, Metainfo
from trio_torrent.bencode import Value, decode, encode
from trio_torrent.cli.info import FEW_FILES, LONGEST_TEXT, describe, fields, when

from .running import EASY, ROOT, command, events, exit_of, run

HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def torrent(tmp_path):
    path = tmp_path / "x.torrent"
    path.write_bytes(single(random_bytes(100_000), announce="http://127.0.0.1:1/announce").to_bytes())
    return path


def test_for_programs(torrent, capsys):
    assert exit_of("info", torrent, "--json") == 0
    (seen,) = events(capsys.readouterr().out)
    metainfo = Metainfo.from_bytes(torrent.read_bytes())
    assert seen == {
        "source": str(torrent),
        "name": "payload.bin",
        "info_hash_v1": metainfo.info_hashes.wire.hex(),
        "info_hash_v2": None,
        "version": "1",
        "piece_length": 32768,
        "pieces": 4,
        "size": 100_000,
        "files": [{"path": "payload.bin", "length": 100_000}],
        "trackers": [["http://127.0.0.1:1/announce"]],
        "web_seeds": [],
        "private": False,
        "comment": "",
        "created_by": "",
        "creation_date": None,
        "warnings": [],
        "magnet": str(metainfo.magnet),
    }


def test_for_people(torrent, capsys):
    assert exit_of("info", torrent) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "name          payload.bin"
    assert "size          97.7 KiB (100000 bytes)" in lines
    assert "pieces        4 x 32.0 KiB" in lines
    assert "tracker 1     http://127.0.0.1:1/announce" in lines
    assert "  1    97.7 KiB  payload.bin" in lines


EVERYTHING: dict[bytes, Value] = {
    b"httpseeds": [b"http://h/"],
    b"url-list": [b"http://w/"],
    b"nodes": [[b"router.example", 6881]],
    b"similar": [b"\x01" * 20],
    b"collections": [b"set"],
}


async def everything(tmp_path) -> Metainfo:
    """A hybrid with whatever a torrent may have."""
    folder = write(tmp_path / "folder", {"run": b"#!", "sub/a": b"a" * 20_000})
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("sub")
    made = decode((await Metainfo.create(folder, source="SRC", private=True)).to_bytes(), max_depth=20)
    assert isinstance(made, dict)
    return Metainfo.from_bytes(encode(made | EVERYTHING))


async def test_what_few_torrents_have_for_programs(tmp_path):
    metainfo = await everything(tmp_path)
    seen = fields(metainfo)
    roots = [file.pieces_root.hex() for file in metainfo.files if file.pieces_root]
    assert seen["files"] == [
        {"path": "folder/link", "length": 0, "symlink": "folder/sub"},
        {"path": "folder/run", "length": 2, "attributes": ("executable",), "pieces_root": roots[0]},
        {"path": "folder/sub/a", "length": 20_000, "pieces_root": roots[1]},
    ]
    assert (seen["web_seeds"], seen["http_seeds"]) == (("http://w/",), ("http://h/",))
    assert (seen["nodes"], seen["source_tag"], seen["version"]) == (["router.example:6881"], "SRC", "hybrid")
    assert (seen["similar"], seen["collections"]) == (["01" * 20], ("set",))


async def test_what_few_torrents_have_for_people(tmp_path):
    lines = list(describe(await everything(tmp_path)))
    assert set(lines) >= {
        "version       hybrid",
        "web seed      http://w/",
        "http seed     http://h/",
        "DHT node      router.example:6881",
        "private       yes: peers come from its trackers only",
        "source        SRC",
        f"similar to    {'01' * 20}",
        "collection    set",
        "  1         0 B  folder/link -> folder/sub",
        "  2         2 B  folder/run  (executable)",
    }
    assert [line[:13] for line in lines if line.startswith("info-hash")] == ["info-hash v1 ", "info-hash v2 "]


@pytest.mark.slow
def test_a_thousand_sources_of_which_some_fail(torrent, tmp_path, capsys):
    sources = [torrent if number % 3 else tmp_path / f"none{number}" for number in range(1000)]
    assert exit_of("info", "--json", *sources) == 3
    lines = events(capsys.readouterr().out)
    assert [line["source"] for line in lines] == [str(source) for source in sources]
    assert sum("error" in line for line in lines) == 334


def test_links_are_shown(capsys):
    link = f"magnet:?xt=urn:btih:{HASH}&dn=a%1b%5b2Jb&tr=http%3A%2F%2Fx%2Fannounce&x.pe=10.0.0.1:5"
    assert exit_of("info", "--wait", 0, link, HASH) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines.count(f"info-hash v1  {HASH}") == 2
    assert "tracker       http://x/announce" in lines
    assert "peer          10.0.0.1:5" in lines
    assert not any("\x1b" in line for line in lines)


def test_links_for_programs(capsys):
    assert exit_of("info", "--json", HASH) == 0
    (seen,) = events(capsys.readouterr().out)
    assert (seen["source"], seen["info_hash_v1"], seen["version"]) == (HASH, HASH, "1")
    assert seen["size"] is None
    assert Magnet.parse(str(seen["magnet"])).info_hashes.wire.hex() == HASH


def test_one_that_is_broken_does_not_stop_the_others(torrent, tmp_path, capsys):
    broken = tmp_path / "broken.torrent"
    broken.write_bytes(b"d4:infoi1ee")
    assert exit_of("info", "--json", tmp_path / "none.torrent", broken, tmp_path, "magnet:?", torrent) == 3
    output = capsys.readouterr()
    lines = events(output.out)
    assert ["error" in line for line in lines] == [True, True, True, True, False]
    assert lines[0] == {
        "source": str(tmp_path / "none.torrent"),
        "error": f"{tmp_path / 'none.torrent'}: No such file or directory",
    }
    assert [line.startswith("trio-torrent: ") for line in output.err.splitlines()] == [True] * 4


def test_a_huge_file_is_not_read_whole(tmp_path, capsys):
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    assert exit_of("info", huge) == 3
    assert "10485761 bytes, more than 10485760" in capsys.readouterr().err


def test_many_files_are_shown_when_asked_for(tmp_path, capsys):
    metainfo = multi({f"{number:03}.txt": b"x" for number in range(FEW_FILES + 5)})
    assert list(describe(metainfo))[-1] == "  and 5 more files; --list shows all"
    path = tmp_path / "x.torrent"
    path.write_bytes(metainfo.to_bytes())
    for arguments in (["info", "--list", path], ["get", "--list", path, *EASY]):
        assert exit_of(*arguments) == 0
        assert "  25         1 B  folder/024.txt" in capsys.readouterr().out.splitlines()


def test_text_of_a_torrent_cannot_reach_the_terminal_as_it_is():
    info: dict[bytes, Value] = {b"length": 1, b"name": b"x\x1b[31m", b"piece length": 16384, b"pieces": b"h" * 20}
    metainfo = Metainfo.from_bytes(encode({b"comment": b"hi\x1b]0;owned\x07\nthere", b"info": info}))
    lines = list(describe(metainfo))
    assert "comment       hi\ufffd]0;owned\ufffd\ufffdthere" in lines
    assert all(line.isprintable() for line in lines)
    assert str(fields(metainfo)["comment"]).endswith("\nthere")  # JSON escapes what it must


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "1970-01-01 00:00 UTC"), (1_700_000_000, "2023-11-14 22:13 UTC"), (10**30, f"{10**30}")],
)
def test_dates(seconds, text):
    assert when(seconds) == text


@pytest.mark.slow
async def test_stdin(torrent):
    done = await run("info", "-", stdin=torrent.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"name          payload.bin\n")


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(torrent):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command("info", torrent), stdout=writer, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.slow
async def test_a_url(torrent, nursery):
    async def serve(stream):
        await stream.receive_some(4096)
        body = torrent.read_bytes()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await stream.aclose()

    listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
    port = listeners[0].socket.getsockname()[1]
    good, bad = f"http://127.0.0.1:{port}/x.torrent", "http://127.0.0.1:1/x.torrent"
    done = await run("info", "--json", good, bad)
    seen, failed = events(done.stdout)
    assert (seen["source"], seen["name"]) == (good, "payload.bin")
    assert failed["source"] == bad
    assert done.returncode == 3
    nursery.cancel_scope.cancel()


def test_a_comment_without_end_is_cut_for_people():
    comment = "x" * (LONGEST_TEXT + 1)
    torrent = attrs.evolve(single(b"x"), comment=comment)
    (line,) = [line for line in describe(torrent) if line.startswith("comment")]
    assert line == f"comment       {'x' * LONGEST_TEXT}… (--json has all of it)"
    assert fields(torrent)["comment"] == comment
