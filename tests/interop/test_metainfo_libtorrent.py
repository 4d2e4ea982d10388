"""libtorrent as the judge: the same info-hashes for the same files, the same verdicts on the same bytes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.metainfo.cases import BAD, ODD
from tests.metainfo.making import BLOCK, entry, finish, leaf, many_files, one_file, torrent, tree_info
from trio_torrent.address import Address
from trio_torrent.bencode import encode
from trio_torrent.metainfo import InfoHashes, Magnet, Metainfo
from trio_torrent.metainfo.build import Entry, draft
from trio_torrent.metainfo.infohash import Version
from trio_torrent.metainfo.merkle import file_root

lt = pytest.importorskip("libtorrent", reason="libtorrent's Python bindings are not installed")

pytestmark = pytest.mark.interop

FLAGS = {"1": lt.create_torrent.v1_only, "2": lt.create_torrent.v2_only, "hybrid": 0}
NAMES = ["a", "b", "B", "a.txt", "a-b", "a b", "é", "日本", "0", "zz", "_", "~x", "A.TXT"]
ATTRIBUTES: dict[str, int] = {
    "executable": lt.file_storage.flag_executable,
    "hidden": lt.file_storage.flag_hidden,
    "symlink": lt.file_storage.flag_symlink,
}


def random_tree(random: Random) -> tuple[list[Entry], dict[tuple[str, ...], bytes]]:
    """Up to 8 files in up to 3 folders, sizes around the edges of blocks and pieces; links among them."""
    contents: dict[tuple[str, ...], bytes] = {}
    folders = [()] + [tuple(random.sample(NAMES, random.randint(1, 2))) for _ in range(3)]
    for _ in range(random.randint(1, 8)):
        path = (*random.choice(folders), "f" + random.choice(NAMES))
        size = random.choice([0, 1, 100, 16383, 16384, 16385, 32768, 50000, 65536, 100_000])
        contents[path] = random.randbytes(size)
    if not any(contents.values()):
        contents["full",] = b"full"
    if random.random() < 0.2:
        contents = {(): next(data for data in contents.values() if data)}
    entries = [
        Entry(path, len(data), hidden=random.random() < 0.1, executable=random.random() < 0.1)
        for path, data in contents.items()
    ]
    if () not in contents and random.random() < 0.3:
        entries.append(Entry(("link",), symlink=random.choice([*contents])))
    return entries, contents


def by_libtorrent(folder: Path, name: str, entries: list[Entry], version: Version, piece_length: int):
    def flags(entry: Entry) -> int:
        return sum(flag for attribute, flag in ATTRIBUTES.items() if getattr(entry, attribute))

    files = [
        lt.create_file_entry("/".join([name, *e.path]), e.length, flags(e), 0, "/".join(e.symlink))
        for e in sorted(entries, key=lambda entry: [component.encode() for component in entry.path])
    ]
    made = lt.create_torrent(files, piece_length, FLAGS[version] | lt.create_torrent.symlinks)
    lt.set_piece_hashes(made, str(folder))
    return made.generate()


def in_the_order_of_the_tree(entries: list[Entry]) -> bool:
    """libtorrent 2.1.1 sorts a hybrid's paths as strings, where `a.b/` is before `a/`, but its tree by components.

    It then refuses the torrent it has made: info.files and info.file tree have different orders.
    """
    paths = [entry.path for entry in entries]
    return sorted(paths) == sorted(paths, key="/".join)


def write(folder: Path, entries: list[Entry], contents: dict[tuple[str, ...], bytes]) -> None:
    for path, data in contents.items():
        file = folder.joinpath("name", *path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    for link in entries:
        if link.symlink:
            folder.joinpath("name", *link.path).symlink_to(folder.joinpath("name", *link.symlink))


def paths_by_libtorrent(data: bytes) -> list[tuple[str, int]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        files = lt.load_torrent_buffer(data).ti.files()
    padding = lt.file_storage.flag_pad_file
    numbers = [number for number in range(files.num_files()) if not files.file_flags(number) & padding]
    return [(files.file_path(number), files.file_size(number)) for number in numbers]


@pytest.mark.slow
@pytest.mark.parametrize("version", FLAGS)
def test_same_info_hash(version: Version, tmp_path: Path) -> None:
    """200 trees: hashed by both from the same files, and ours read by both."""
    random = Random(52)
    for number in range(200):
        entries, contents = random_tree(random)
        piece_length = random.choice([16384, 32768, 65536])
        write(tmp_path / str(number), entries, contents)
        ours = finish(draft("name", entries, version=version, piece_length=piece_length), contents)
        theirs = by_libtorrent(tmp_path / str(number), "name", entries, version, piece_length)
        metainfo = Metainfo.from_bytes(ours)
        if version != "hybrid" or in_the_order_of_the_tree(entries):
            assert metainfo.info_bytes == encode(theirs[b"info"])
        else:
            with pytest.raises(RuntimeError, match="does not match"):
                lt.load_torrent_buffer(encode(theirs))
        assert lt.bdecode(ours).get(b"piece layers") == theirs.get(b"piece layers")
        paths = [("/".join(file.path), file.length) for file in metainfo.files if not file.padding]
        assert paths_by_libtorrent(ours) == paths


# Where the verdicts differ, and why ours is what it is.
TAKEN_HERE = {
    "v2_pieces_without_files": "without files or a length it is pure v2, where info.pieces means nothing",
}
REFUSED_HERE = {
    "files_no_list": "libtorrent goes on to read a length; other clients do not, and would make another torrent of it",
    "v2_layers_no_dict": "BEP 52: a torrent with invalid piece layers is not valid",
    "hybrid_without_pieces": "its v1 half could never be verified",
}
OTHER_PATHS = {
    "duplicate_keys": "libtorrent takes the first of them",
    "file_where_padding_is": "padding is never on disk, so no file meets it there",
    "empty_name_multi": "`_` would be the folder of every such torrent",
    "unicode_case_duplicates": "macOS and Windows would write both to one file",
    "unicode_form_duplicates": "macOS would write both to one file",
}


@pytest.mark.parametrize("name", [name for name in BAD if name not in REFUSED_HERE])
def test_refused_by_both(name: str) -> None:
    with pytest.raises(RuntimeError):
        lt.load_torrent_buffer(BAD[name][0])


@pytest.mark.parametrize("name", REFUSED_HERE)
def test_refused_here_only(name: str) -> None:
    lt.load_torrent_buffer(BAD[name][0])


@pytest.mark.parametrize("name", [name for name in ODD if name not in TAKEN_HERE | OTHER_PATHS])
def test_taken_by_both(name: str) -> None:
    """As the same torrent, of the same files."""
    data, paths, _ = ODD[name]
    assert [path for path, _ in paths_by_libtorrent(data)] == [path.partition(" -> ")[0] for path in paths]
    theirs = lt.load_torrent_buffer(data).ti.info_hashes()
    ours = Metainfo.from_bytes(data).info_hashes
    assert (theirs.has_v1(), theirs.has_v2()) == (ours.v1 is not None, ours.v2 is not None)
    assert theirs.v1.to_bytes() == (ours.v1 or bytes(20))
    assert theirs.v2.to_bytes() == (ours.v2 or bytes(32))


@pytest.mark.parametrize("name", TAKEN_HERE)
def test_taken_here_only(name: str) -> None:
    with pytest.raises(RuntimeError):
        lt.load_torrent_buffer(ODD[name][0])


@pytest.mark.parametrize("name", OTHER_PATHS)
def test_taken_by_both_as_other_files(name: str) -> None:
    data, paths, _ = ODD[name]
    assert [path for path, _ in paths_by_libtorrent(data)] != [path.partition(" -> ")[0] for path in paths]


def test_names_that_are_no_utf8() -> None:
    """3000 random names, biased to what begins and goes on a character, become the same for both."""
    random = Random(8)
    alphabet = bytes(
        [*b"ab./", 0x80, 0x9F, 0xA0, 0xAF, 0xBF, 0xC0, 0xC3, 0xE2, 0xED, 0xEF, 0xF0, 0xF4, 0xF8, 0xFC, 0xFF]
    )
    for _ in range(30):
        names = [bytes(random.choices(alphabet, k=random.randint(1, 8))) for _ in range(100)]
        files = [entry(b"%d" % number, name, length=1) for number, name in enumerate(names)]
        data = torrent(many_files(*files))
        ours = ["/".join(file.path) for file in Metainfo.from_bytes(data).files]
        assert [path for path, _ in paths_by_libtorrent(data)] == ours


def random_magnet(random: Random) -> Magnet:
    kind = random.randrange(3)
    v1, v2 = random.randbytes(20), random.randbytes(32)
    return Magnet(
        InfoHashes(v1 if kind != 1 else None, v2 if kind else None),
        random.choice(["", "a name", "a+b&c=d%20", "名前", "x" * 200]),
        trackers=tuple(f"udp://t{n}.example:{n}/announce?a=1&b=%20" for n in range(1, random.randint(1, 5))),
        web_seeds=tuple(f"http://w{n}.example/dir/é" for n in range(random.randrange(3))),
        peers=tuple(Address(random.choice(["1.2.3.4", "2001:db8::1"]), n) for n in range(1, random.randint(1, 4))),
    )


def test_magnets_are_read_alike() -> None:
    random = Random(9)
    for _ in range(200):
        ours = random_magnet(random)
        theirs = lt.parse_magnet_uri(str(ours))
        assert theirs.info_hashes.v1.to_bytes() == (ours.info_hashes.v1 or bytes(20))
        assert theirs.info_hashes.v2.to_bytes() == (ours.info_hashes.v2 or bytes(32))
        assert theirs.name == ours.name
        assert tuple(theirs.trackers) == ours.trackers
        assert tuple(theirs.url_seeds) == ours.web_seeds
        assert [Address(*peer) for peer in theirs.peers] == [*ours.peers]
        again = Magnet.parse(lt.make_magnet_uri(theirs))
        assert (again.info_hashes, again.name, again.trackers) == (ours.info_hashes, ours.name, ours.trackers)


def five_megabytes_of_sha1() -> bytes:
    pieces = 250_000
    return torrent(one_file(length=pieces * BLOCK, pieces=0) | {b"pieces": Random(1).randbytes(20 * pieces)})


def five_megabytes_of_layers() -> bytes:
    layer = Random(2).randbytes(32 * 150_000)
    root = file_root(layer, BLOCK)
    return torrent(tree_info({b"name": leaf(150_000 * BLOCK, root)}), piece_layers={root: layer})


@pytest.mark.slow
@pytest.mark.parametrize("make", [five_megabytes_of_sha1, five_megabytes_of_layers])
def test_reading_takes_at_most_three_times_as_long(make: Callable[[], bytes]) -> None:
    """Of torrents that are large by their hashes. Where they are so by their files, Python's objects cost more."""
    data = make()

    def quickest(read: Callable[[bytes], object]) -> float:
        times = []
        for _ in range(5):
            started = time.process_time()
            read(data)
            times.append(time.process_time() - started)
        return min(times)

    assert quickest(Metainfo.from_bytes) < 3 * quickest(lt.load_torrent_buffer)
