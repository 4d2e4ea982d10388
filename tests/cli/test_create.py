"""`create`: what it writes, where, and what it refuses."""

import os
import signal
import sys

import pytest
import trio

from tests.payload import random_bytes, write
from trio_torrent import InfoHashes, Metainfo
from trio_torrent.cli import create as module
from trio_torrent.cli.exits import CommandError, Exit

from .running import events, exit_of, run, start

PARTS = {"a": random_bytes(40_000, 1), ".hidden": random_bytes(100, 2), "sub/empty": b""}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """With an own current folder, in which everything else is."""
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "folder", PARTS)


def made(path="folder.torrent") -> Metainfo:
    return Metainfo.from_file(path)


def complaint(capsys) -> str:
    output, errors = capsys.readouterr()
    assert output == ""
    (line,) = errors.splitlines()
    return str(line)


def test_a_folder(folder, capsys):
    assert exit_of("create", folder) == 0
    metainfo = made()
    assert (metainfo.name, metainfo.version, metainfo.private) == ("folder", "hybrid", False)
    assert [file.path[1:] for file in metainfo.files if not file.padding] == [(".hidden",), ("a",), ("sub", "empty")]
    assert metainfo.creation_date is not None
    assert metainfo.warnings == ()
    output, errors = capsys.readouterr()
    assert output == ""
    wrote, magnet = errors.splitlines()
    assert wrote == f"wrote {folder.parent}/folder.torrent: 39.2 KiB in 3 files, 4 pieces of 16.0 KiB"
    assert magnet == str(metainfo.magnet)


def test_every_option(folder):
    trackers = ["-t", "http://a/announce,udp://b:1/announce", "-t", "wss://c/"]
    rest = ["-w", "http://w/", "-l", "32K", "-p", "-c", "hello", "-s", "SRC", "--no-date", "--v1", "-q"]
    assert exit_of("create", folder, *trackers, *rest, "-o", "x.torrent") == 0
    metainfo = made("x.torrent")
    assert metainfo.trackers == (("http://a/announce", "udp://b:1/announce"), ("wss://c/",))
    assert (metainfo.web_seeds, metainfo.geometry.piece_length) == (("http://w/",), 32768)
    assert (metainfo.private, metainfo.comment, metainfo.source) == (True, "hello", "SRC")
    assert (metainfo.creation_date, metainfo.version) == (None, "1")


@pytest.mark.parametrize(("flag", "version"), [("--v1", "1"), ("--v2", "2"), ("--hybrid", "hybrid")])
def test_versions(folder, flag, version):
    assert exit_of("create", folder, flag) == 0
    assert made().version == version


def test_without_a_date_the_same_input_gives_the_same_bytes(folder):
    for name in ("x", "y"):
        assert exit_of("create", folder, "--no-date", "-o", name) == 0
    assert (folder.parent / "x").read_bytes() == (folder.parent / "y").read_bytes()


def test_for_programs(folder, capsys):
    assert exit_of("create", folder, "--json", "-s", "SRC") == 0
    (seen,) = events(capsys.readouterr().out)
    metainfo = made()
    assert seen["output"] == str(folder.parent / "folder.torrent")
    assert seen["source"] == str(folder)
    assert (seen["name"], seen["version"], seen["source_tag"]) == ("folder", "hybrid", "SRC")
    hashes = (bytes.fromhex(str(seen["info_hash_v1"])), bytes.fromhex(str(seen["info_hash_v2"])))
    assert InfoHashes(*hashes) == metainfo.info_hashes


def test_options_can_come_from_the_environment(folder, monkeypatch):
    for name, value in {
        "TRACKER": "http://a/ http://b/,http://c/",
        "V2": "1",
        "CREATE_FORCE": "1",
        "JSON": "1",
    }.items():
        monkeypatch.setenv(f"TRIO_TORRENT_{name}", value)
    assert exit_of("create", folder) == 0
    assert exit_of("create", folder) == 0
    assert made().trackers == (("http://a/",), ("http://b/", "http://c/"))
    assert made().version == "2"


# -- where it goes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [".", "../folder/", "sub/.."])
def test_the_name_is_that_of_the_folder_however_it_is_written(folder, path, monkeypatch):
    monkeypatch.chdir(folder)
    assert exit_of("create", path, "-o", "..") == 0
    assert made("../folder.torrent").name == "folder"


def test_into_a_folder(folder):
    (folder.parent / "out").mkdir()
    assert exit_of("create", folder, "-o", "out") == 0
    assert made("out/folder.torrent").name == "folder"


def test_to_stdout(folder, capfdbinary):
    assert exit_of("create", folder, "-o", "-") == 0
    output, errors = capfdbinary.readouterr()
    assert Metainfo.from_bytes(output).name == "folder"
    assert errors.startswith(b"wrote stdout: ")
    assert os.listdir() == ["folder"]


def test_what_is_there_is_replaced_only_when_asked_for(folder, capsys):
    write(folder.parent, {"folder.torrent": b"precious"})
    assert exit_of("create", folder) == 2
    assert "folder.torrent: is there already; --force replaces it" in complaint(capsys)
    assert (folder.parent / "folder.torrent").read_bytes() == b"precious"
    assert exit_of("create", folder, "--force") == 0
    assert made().name == "folder"


def test_a_link_to_a_torrent_stays_a_link(folder):
    write(folder.parent, {"real": b""})
    (folder.parent / "link").symlink_to("real")
    assert exit_of("create", folder, "--force", "-o", "link") == 0
    assert (folder.parent / "link").is_symlink()
    assert made("real").name == "folder"


def test_it_has_the_mode_of_any_new_file(folder):
    (folder.parent / "plain").touch()
    assert exit_of("create", folder) == 0
    assert (folder.parent / "folder.torrent").stat().st_mode == (folder.parent / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("shared", "output", "complaints"),
    [
        ("folder", "none/x.torrent", "none: there is no such folder"),
        ("folder", "/dev/null", "/dev/null: not a file that a torrent can be in"),
        ("folder", "folder/a", "would be in the torrent itself"),
        ("folder/a", "folder/a", "would be in the torrent itself"),
    ],
)
def test_places_that_are_refused_even_with_force(folder, shared, output, complaints, capsys):
    assert exit_of("create", shared, "-o", output, "--force") == 2
    assert complaints in complaint(capsys)
    assert (folder / "a").read_bytes() == PARTS["a"]


def test_stdout_has_room_for_one_thing(folder, capsys):
    assert exit_of("create", folder, "-o", "-", "--json") == 2
    assert "not for --json" in complaint(capsys)


def test_what_somebody_put_there_meanwhile_is_not_replaced(folder, monkeypatch, capsys):
    plain = Metainfo.create

    async def slow(*arguments, **options):
        write(folder.parent, {"folder.torrent": b"precious"})
        return await plain(*arguments, **options)

    monkeypatch.setattr(Metainfo, "create", slow)
    assert exit_of("create", folder) == 2
    assert "is there already" in complaint(capsys)
    assert (folder.parent / "folder.torrent").read_bytes() == b"precious"


def test_a_full_disk_leaves_nothing(folder, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match=r"x\.torrent: No space left on device") as caught:
        module.write(folder.parent / "x.torrent", b"data")
    assert caught.value.code is Exit.DISK
    assert os.listdir() == ["folder"]


def test_a_folder_that_cannot_be_written_is_known_before_hashing(folder, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert exit_of("create", folder) == 5
    assert "no permission to write" in complaint(capsys)


# -- what cannot be made ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["none"], "'none' does not exist"),
        (["folder", "--v1", "--v2"], "--v1, --v2 and --hybrid exclude one another"),
        (["folder", "-l", "20"], "'20' is not a piece length: write a power of two from 16K to 256M"),
        (["folder", "-l", "48K"], "'48K' is not a piece length"),
        (["folder", "-l", "512M"], "'512M' is not a piece length"),
        (["folder", "-t", "a.example/announce"], "does not begin with http://, https://, udp://, ws://, wss://"),
        (["folder", "-t", "http://a/,ftp://b/"], "'ftp://b/' does not begin with http://"),
        (["folder", "-t", "http:///announce"], "has no host"),
        (["folder", "-t", "udp://a/announce"], "has no port"),
        (["folder", "-t", "http://a:99999/"], "is not a URL: Port out of range"),
        (["folder", "-t", "http://a/\udce9"], "characters that no URL has"),
        (["folder", "-t", "http://a/b c"], "characters that no URL has"),
        (["folder", "-t", ""], "does not begin with"),
        (["folder", "-w", "udp://a:1/"], "does not begin with http://, https://"),
        (["folder", "-c", "caf\udce9"], "is not UTF-8"),
    ],
)
def test_usage(folder, arguments, reason, capsys):
    assert exit_of("create", *arguments) == 2
    assert reason in complaint(capsys)
    assert os.listdir() == ["folder"]


def test_what_cannot_be_shared(folder, capsys):
    (folder / "link").symlink_to("/etc/passwd")
    assert exit_of("create", folder) == 5
    assert "link: a symbolic link that leads out" in complaint(capsys)
    (folder.parent / "nothing").mkdir()
    assert exit_of("create", "nothing") == 3
    assert "'nothing' has no files" in complaint(capsys)
    assert sorted(os.listdir()) == ["folder", "nothing"]


def test_names_that_differ_in_case_are_warned_of(folder, capsys):
    write(folder, {"README": b"1", "readme": b"2"})
    assert exit_of("create", folder) == 0
    assert any(line.startswith("warning: 'folder/readme'") for line in capsys.readouterr().err.splitlines())


def test_a_torrent_that_others_would_not_read_is_warned_of(folder, monkeypatch, capsys):
    monkeypatch.setattr(module, "MAX_TORRENT_SIZE", 100)
    assert exit_of("create", folder) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("warning: the torrent has ")


# -- in a process of its own -----------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_interrupted_it_leaves_nothing(folder, nursery):
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 40)  # minutes to hash, and no room on the disk
    process = await nursery.start(start("create", folder, "-o", folder.parent))
    with trio.fail_after(10):
        seen = b""
        while b"hashing" not in seen:
            seen += await process.stderr.receive_some()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
    assert os.listdir(folder.parent) == ["folder"]


@pytest.mark.slow
async def test_name_that_is_not_utf8(folder):
    os.close(os.open(os.fsencode(folder) + b"/caf\xe9", os.O_CREAT))
    done = await run("create", folder)
    assert done.returncode == 5
    assert "caf\ufffd: the name is not UTF-8".encode() in done.stderr
    done = await run("create", sys.executable, "-o", "-", "--quiet", "--no-date")
    assert (done.returncode, done.stderr) == (0, b"")
    assert Metainfo.from_bytes(done.stdout).geometry.size == os.stat(sys.executable).st_size
