"""`magnet`: the link of any source."""

import pytest

from tests.payload import random_bytes, write
from trio_torrent import Magnet, Metainfo

from .running import exit_of, run

HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
async def torrent(tmp_path):
    write(tmp_path, {"a b": random_bytes(1000)})
    metainfo = await Metainfo.create(tmp_path / "a b", trackers=[["http://x/announce"]])
    path = tmp_path / "x.torrent"
    path.write_bytes(metainfo.to_bytes())
    return path


@pytest.mark.slow
async def test_of_a_torrent(torrent):
    metainfo = Metainfo.from_file(torrent)
    for source, stdin in ((torrent, b""), ("-", torrent.read_bytes())):
        done = await run("magnet", source, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, b"")
        link = Magnet.parse(done.stdout.decode())
        assert link == metainfo.magnet
        assert (link.info_hashes, link.name) == (metainfo.info_hashes, "a b")
        assert link.trackers == ("http://x/announce",)


def test_of_a_hash(capsys):
    assert exit_of("magnet", HASH.upper()) == 0
    assert capsys.readouterr().out == f"magnet:?xt=urn:btih:{HASH}\n"


def test_of_what_is_none(tmp_path, capsys):
    assert exit_of("magnet", tmp_path / "none") == 3
    assert "No such file" in capsys.readouterr().err
    assert exit_of("magnet", "magnet:?dn=x") == 3
    assert "no info-hash" in capsys.readouterr().err
