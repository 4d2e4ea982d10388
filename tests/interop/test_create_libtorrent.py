"""Torrents made from a folder on disk: libtorrent makes the same, reads ours, and finds the same pieces good."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio

from tests.payload import write
from trio_torrent.bencode import encode
from trio_torrent.bitfield import Bitfield
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.disk.check import check
from trio_torrent.disk.files import Files
from trio_torrent.disk.workers import open_workers
from trio_torrent.metainfo.infohash import Version

lt = pytest.importorskip("libtorrent", reason="libtorrent's Python bindings are not installed")

pytestmark = [pytest.mark.interop, pytest.mark.slow]

FLAGS: dict[Version, int] = {"1": lt.create_torrent.v1_only, "2": lt.create_torrent.v2_only, "hybrid": 0}
PIECE = 32768
TREES = 200
DAMAGED = 15
CHECK_SECONDS = 20.0  # for libtorrent to look at 2 MiB, on a machine that is busy

# No two differ in case only: both clients would rename one of them, and then not find it. None is before `/` either,
# as libtorrent 2.1.1 has two orders for these, and does not read the hybrids that it makes.
NAMES = ["a", "b", ".hidden", "a0", "zz", "é", "日本", "_", "~x", "0"]
SIZES = [0, 1, 100, 16383, 16384, 16385, PIECE, PIECE + 1, 3 * PIECE, 100_000]


def plant(folder: Path, random: Random) -> Path:
    """Files, some of them executable, and links to some of them and to folders; the root."""
    root = folder / "root"
    folders = ["", *("/".join(random.sample(NAMES, random.randint(1, 3))) + "/" for _ in range(3))]
    paths = {f"{random.choice(folders)}f{random.choice(NAMES)}" for _ in range(random.randint(1, 9))}
    write(root, {path: random.randbytes(random.choice(SIZES)) for path in sorted(paths)} | {"full": b"full"})
    for path in sorted(paths):
        if random.random() < 0.2:
            (root / path).chmod(0o755)
        if random.random() < 0.2:
            (root / path).with_name(f"l{Path(path).name}").symlink_to(Path(path).name)
    if random.random() < 0.5:
        (root / "folder").symlink_to(sorted(each for each in root.iterdir())[0].name)
    return root


def by_libtorrent(path: Path, version: Version, piece_length: int) -> dict[bytes, Any]:
    flags = FLAGS[version] | lt.create_torrent.symlinks
    entries = lt.list_files(str(path), lambda name: True, flags)
    entries.sort(key=lambda entry: [component.encode() for component in entry.filename.split("/")])
    creator = lt.create_torrent(entries, piece_length, flags)
    lt.set_piece_hashes(creator, str(path.parent))
    generated: dict[bytes, Any] = creator.generate()
    return generated


@pytest.mark.parametrize("version", FLAGS)
async def test_same_info_hash(version: Version, tmp_path: Path) -> None:
    random = Random(47)
    for number in range(TREES):
        root = plant(tmp_path / str(number), random)
        path = root / "full" if number % 10 == 0 else root
        piece_length = random.choice([16384, PIECE, 4 * PIECE])
        theirs = by_libtorrent(path, version, piece_length)
        ours = await Metainfo.create(path, version=version, piece_length=piece_length)
        assert ours.info_bytes == encode(theirs[b"info"])
        assert lt.bdecode(ours.to_bytes()).get(b"piece layers") == theirs.get(b"piece layers")
        assert loaded(ours) == ours.info_hashes.wire


def loaded(metainfo: Metainfo) -> bytes:
    """libtorrent's info-hash of what we wrote."""
    info = lt.load_torrent_buffer(metainfo.to_bytes()).info_hashes
    best: bytes = (info.v1 if info.has_v1() else info.v2).to_bytes()
    return best[:20]


@pytest.fixture(scope="module")
def session() -> Any:
    plain = dict.fromkeys(("enable_dht", "enable_lsd", "enable_upnp", "enable_natpmp"), False)
    return lt.session({**plain, "listen_interfaces": "127.0.0.1:0"})


@pytest.mark.parametrize("version", FLAGS)
async def test_same_pieces_are_good(version: Version, tmp_path: Path, session: Any) -> None:
    random = Random(52)
    right = pieces = 0
    for number in range(DAMAGED):
        root = plant(tmp_path / str(number), random)
        metainfo = await Metainfo.create(root, version=version, piece_length=PIECE)
        damage(root, random)
        files = Files(root.parent, metainfo.layout)
        async with open_workers(2) as workers:
            good = (await check(metainfo, files, workers)).good
        files.close()
        verified = await metainfo.verify(root.parent)
        assert verified.good == good.count
        theirs = await checked_by_libtorrent(session, metainfo, root.parent)
        assert sorted(good) == sorted(theirs)
        right, pieces = right + good.count, pieces + good.size
    assert pieces / 4 < right < pieces


def damage(root: Path, random: Random) -> None:
    """Change a byte of some files, cut some, remove some."""
    for path in sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink()):
        size = path.stat().st_size
        match random.randrange(6):
            case 0:
                path.unlink()
            case 1 if size:
                with path.open("r+b") as file:
                    file.truncate(random.randrange(size))
            case 2 if size:
                with path.open("r+b") as file:
                    file.seek(random.randrange(size))
                    file.write(b"\n")
            case _:
                pass


async def checked_by_libtorrent(session: Any, metainfo: Metainfo, folder: Path) -> Bitfield:
    parameters = lt.load_torrent_buffer(metainfo.to_bytes())
    parameters.save_path = str(folder)
    parameters.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    parameters.flags |= lt.torrent_flags.upload_mode  # it must not write anything, or make missing files
    handle = session.add_torrent(parameters)
    checking = (lt.torrent_status.states.checking_files, lt.torrent_status.states.checking_resume_data)
    with trio.fail_after(CHECK_SECONDS):
        while (status := handle.status(lt.torrent_handle.query_pieces)).state in checking:  # noqa: ASYNC110 - alerts cannot be awaited
            await trio.sleep(0.01)
    session.remove_torrent(handle)
    return Bitfield(metainfo.geometry.pieces, [number for number, have in enumerate(status.pieces) if have])
