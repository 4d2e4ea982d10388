"""What surrounds an info dictionary, torrents from peers, and verification. For what is inside see cases.py."""

import time
from hashlib import sha1, sha256

import pytest

from tests.metainfo.making import BLOCK, Contents, entry, leaf, make_torrent, many_files, one_file, torrent, tree_info
from trio_torrent.address import Address
from trio_torrent.errors import MetainfoError
from trio_torrent.metainfo import InfoHashes, Magnet, Metainfo
from trio_torrent.metainfo.fields import MAX_NOTES
from trio_torrent.metainfo.infohash import Version
from trio_torrent.metainfo.torrent import MAX_TORRENT_SIZE
from trio_torrent.metainfo.urls import MAX_NODES, MAX_TRACKERS, MAX_WEB_SEEDS

A, B, C = "http://a.example/announce", "udp://b.example:80", "https://c.example/?key=1"


def read(**fields) -> Metainfo:
    return Metainfo.from_bytes(torrent(one_file(), **fields))


def as_bytes(tiers: list[list[str]]) -> list[list[bytes]]:
    return [[url.encode() for url in tier] for tier in tiers]


@pytest.mark.parametrize(
    ("fields", "tiers"),
    [
        ({}, ()),
        ({"announce": A.encode()}, ((A,),)),
        ({"announce": b""}, ()),
        ({"announce": A.encode(), "announce_list": []}, ((A,),)),
        ({"announce": A.encode(), "announce_list": [[]]}, ((A,),)),
        ({"announce": A.encode(), "announce_list": as_bytes([[B], [C]])}, ((B,), (C,))),
        ({"announce_list": as_bytes([[A, B], [C]])}, ((A, B), (C,))),
        ({"announce_list": as_bytes([[A, A], [A], [B]])}, ((A,), (B,))),
        ({"announce_list": [A.encode(), [B.encode()]]}, ((A,), (B,))),
        ({"announce_list": [[b"", b"\t", 5, [A.encode()], b"junk", b"http://", A.encode()]]}, ((A,),)),
        ({"announce_list": 5, "announce": A.encode()}, ((A,),)),
        ({"announce": b" " + A.encode() + b"\r\n"}, ((A,),)),
        ({"announce": A.encode() + b"\0"}, ()),
        ({"announce": b"http://" + b"x" * 3000}, ()),
        ({"announce": b"http://\xff\xfe/"}, (("http://\ufffd\ufffd/",),)),
        ({"announce": [A.encode()]}, ()),
    ],
)
def test_trackers(fields, tiers):
    assert read(**fields).trackers == tiers


@pytest.mark.parametrize("key", ["url_list", "httpseeds"])
@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ([], ()),
        (b"", ()),
        (b"http://a.example/", ("http://a.example/",)),
        ([b"http://a.example/", b"HTTPS://b.example/x"], ("http://a.example/", "HTTPS://b.example/x")),
        ([b"http://a.example/", b"http://a.example/"], ("http://a.example/",)),
        ([b"http://a.example/a b "], ("http://a.example/a%20b",)),
        ([b"ftp://a.example/", b"file:///etc/passwd", b"", 5, [b"http://a.example/"]], ()),
        (5, ()),
    ],
)
def test_web_seeds(key, value, urls):
    metainfo = read(**{key: value})
    assert (metainfo.web_seeds if key == "url_list" else metainfo.http_seeds) == urls


def test_nodes():
    good = [[b"1.2.3.4", 5], [b"::1", 6], [b"node.example", 7, b"more"], [b"1.2.3.4", 5]]
    bad = [[b"a", 0], [b"a", 65536], [b"", 5], [b"a b", 5], [b"\xff", 5], [5, 5], [b"a"], b"a", [b"x" * 256, 5]]
    metainfo = read(nodes=good + bad)
    assert metainfo.nodes == (Address("1.2.3.4", 5), Address("::1", 6), Address("node.example", 7))
    assert metainfo.warnings == ("nodes has what is not a host and a port: left out",)
    assert read(nodes=5).nodes == ()


def test_lists_are_limited():
    urls = [f"http://{number}.example/".encode() for number in range(1000)]
    metainfo = read(announce_list=[urls], url_list=urls, httpseeds=urls, nodes=[[b"a", n] for n in range(1, 1000)])
    assert len(metainfo.trackers[0]) == MAX_TRACKERS
    assert len(metainfo.web_seeds) == len(metainfo.http_seeds) == MAX_WEB_SEEDS
    assert len(metainfo.nodes) == MAX_NODES


@pytest.mark.parametrize(
    ("value", "private", "noted"),
    [
        (0, False, False),
        (1, True, False),
        (2, True, True),
        (-1, True, True),
        (b"", False, True),
        (b"0", False, True),
        (b"1", True, True),
        ([], True, True),
    ],
)
def test_private(value, private, noted):
    metainfo = Metainfo.from_bytes(torrent(one_file(private=value)))
    assert metainfo.private == private
    assert bool(metainfo.warnings) == noted
    assert not read().private


def test_remarks():
    metainfo = read(comment=b"caf\xe9", created_by="naïve".encode(), creation_date=-5)
    assert (metainfo.comment, metainfo.created_by, metainfo.creation_date) == ("caf\ufffd", "naïve", -5)
    metainfo = read(**{"comment.utf-8": "café".encode(), "comment": b"caf\xe9"})
    assert metainfo.comment == "café"
    assert read(comment=b"two\r\nlines\t\x1b[31m\0\x7f").comment == "two\nlines\t\ufffd[31m\ufffd\ufffd"
    metainfo = read(comment=5, created_by=[], creation_date=b"now")
    assert (metainfo.comment, metainfo.created_by, metainfo.creation_date) == ("", "", None)
    assert metainfo.warnings == (
        "comment is not a string: left out",
        "created by is not a string: left out",
        "creation date is not an integer: left out",
    )
    assert (read().comment, read().created_by, read().creation_date) == ("", "", None)


def test_related_torrents():
    """BEP 38, within the info dictionary and around it."""
    info = one_file(similar=[b"s" * 20, b"short", 5], collections=[b"one", 5])
    metainfo = Metainfo.from_bytes(torrent(info, similar=[b"t" * 32], collections=[b"two"]))
    assert metainfo.similar == (b"s" * 20, b"t" * 32)
    assert metainfo.collections == ("one", "two")


def test_size_is_limited():
    data = torrent(one_file(), comment=b"x" * 1000)
    assert Metainfo.from_bytes(data, max_size=len(data)).comment
    with pytest.raises(MetainfoError, match=f"a torrent of {len(data)} bytes, more than 1000"):
        Metainfo.from_bytes(data, max_size=1000)
    with pytest.raises(MetainfoError, match="more than 10485760"):
        Metainfo.from_bytes(bytes(MAX_TORRENT_SIZE + 1))


def test_notes_are_limited():
    files = [entry(b"a", length=1, attr=number) for number in range(200)]
    metainfo = Metainfo.from_bytes(torrent(many_files(*files)))
    assert len(metainfo.warnings) == MAX_NOTES + 1
    assert metainfo.warnings[-1] == f"and {200 + 199 - MAX_NOTES} more"


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_any_buffer(buffer):
    data = torrent(one_file())
    assert Metainfo.from_bytes(buffer(data)).to_bytes() == data


def test_the_info_hash_is_of_the_very_bytes():
    """Not of what encoding them again would give."""
    info = b"d6:lengthi010e12:piece lengthi16384e4:name4:name6:pieces20:hhhhhhhhhhhhhhhhhhhhe"
    data = b"d4:info" + info + b"1:x0:e"
    metainfo = Metainfo.from_bytes(data)
    assert metainfo.info_bytes == info
    assert metainfo.info_hashes == InfoHashes(sha1(info).digest())
    assert metainfo.to_bytes() == data


def test_a_value_that_shows_no_bulk():
    data = make_torrent("n", {("a",): bytes(20000), ("b",): b"1"})
    assert Metainfo.from_bytes(data) == Metainfo.from_bytes(data)
    assert hash(Metainfo.from_bytes(data)) == hash(Metainfo.from_bytes(data))
    assert len(repr(Metainfo.from_bytes(data))) < 1000


def test_magnet():
    data = make_torrent("a name", {(): b"x"}, trackers=[[A, B], [C]], web_seeds=["http://w.example/"])
    metainfo = Metainfo.from_bytes(data)
    assert metainfo.magnet == Magnet(metainfo.info_hashes, "a name", (A, B, C), ("http://w.example/",))
    assert Magnet.parse(str(metainfo.magnet)) == metainfo.magnet


@pytest.mark.parametrize("trackers", [(), ((A,),), ((A, B), (C,))])
def test_from_info(trackers):
    whole = Metainfo.from_bytes(make_torrent("n", {("a",): b"1", ("b",): b"2"}, version="1"))
    alone = Metainfo.from_info(whole.info_bytes, trackers)
    assert alone.info == whole.info
    assert alone.trackers == trackers
    assert Metainfo.from_bytes(alone.to_bytes()) == alone


@pytest.mark.parametrize("info", [b"", b"x", b"5:hello", b"le", b"de", b"d4:name1:ne" + b"junk", b"i5e"])
def test_from_info_refuses(info):
    with pytest.raises(MetainfoError, match="info"):
        Metainfo.from_info(info)


CONTENTS: Contents = {("a",): b"A" * 40000, ("b",): b"B" * 100, ("c",): b"C" * 40000, ("d",): b"A" * 40000}


def test_layers_from_peers():
    """A v2 info dictionary comes without the layers; they come later, and are checked against it."""
    whole = Metainfo.from_bytes(make_torrent("n", CONTENTS, version="2"))
    alone = Metainfo.from_info(whole.info_bytes, [[A]])
    assert alone.warnings == ("piece layers misses 2 files: peers must give them",)
    assert alone.missing_layers == (0, 2, 3)
    assert alone.piece_matches(3, CONTENTS["b",])  # shorter than a piece: its root says all
    with pytest.raises(ValueError, match="no piece layer for 'n/a' yet"):
        alone.piece_matches(0, bytes(BLOCK))
    first, second = whole.files[0].pieces_root, whole.files[2].pieces_root
    assert first
    assert second
    half = alone.with_piece_layers({first: whole.piece_layers[first]})
    assert half.missing_layers == (2,)
    assert half.piece_matches(0, b"A" * BLOCK)
    full = half.with_piece_layers({second: whole.piece_layers[second]})
    assert full.missing_layers == ()
    assert full.trackers == ((A,),)
    assert full.info_hashes == whole.info_hashes
    assert Metainfo.from_bytes(full.to_bytes()) == full
    with pytest.raises(MetainfoError, match="digests that do not lead to"):
        alone.with_piece_layers({first: whole.piece_layers[second]})
    with pytest.raises(MetainfoError, match="an entry for no file"):
        alone.with_piece_layers({bytes(32): whole.piece_layers[second]})


def test_layers_are_added_to_a_file_that_was_not_canonical():
    whole = Metainfo.from_bytes(make_torrent("n", CONTENTS, version="2"))
    data = b"d4:zero1:x4:info" + whole.info_bytes + b"7:comment1:ce\n"
    full = Metainfo.from_bytes(data).with_piece_layers(whole.piece_layers)
    assert full.comment == "c"
    assert full.missing_layers == ()
    assert full.info_bytes == whole.info_bytes


def test_a_hybrid_without_layers_is_verified_by_its_v1_half():
    whole = Metainfo.from_bytes(make_torrent("n", CONTENTS))
    alone = Metainfo.from_info(whole.info_bytes)
    assert alone.piece_matches(0, b"A" * BLOCK)
    assert not alone.piece_matches(0, b"B" * BLOCK)


def test_a_hybrid_whose_halves_disagree_verifies_nothing():
    """SHA-1 can be forged; then the tree has the last word, and the other way round."""
    root = sha256(b"v2" * 50).digest()
    info = tree_info({b"name": leaf(100, root)}, length=100, pieces=sha1(b"v1" * 50).digest())
    metainfo = Metainfo.from_bytes(torrent(info))
    assert not metainfo.piece_matches(0, b"v1" * 50)
    assert not metainfo.piece_matches(0, b"v2" * 50)


def test_pieces_of_padding_alone_are_left_to_v1():
    """A hybrid may pad by more than a piece, if it likes."""
    files = [entry(b"a"), entry(b"p", length=2 * BLOCK - 10, attr=b"p"), entry(b"b")]
    roots = [sha256(b"a" * 10).digest(), sha256(b"b" * 10).digest()]
    pieces = [b"a" * 10 + bytes(BLOCK - 10), bytes(BLOCK), b"b" * 10]
    info = tree_info(
        {b"a": leaf(10, roots[0]), b"b": leaf(10, roots[1])},
        files=files,
        pieces=b"".join(sha1(piece).digest() for piece in pieces),
    )
    metainfo = Metainfo.from_bytes(torrent(info))
    assert [metainfo.piece_matches(number, piece) for number, piece in enumerate(pieces)] == [True] * 3
    assert not metainfo.piece_matches(1, b"x" + bytes(BLOCK - 1))


def test_a_piece_has_one_length():
    versions: list[Version] = ["1", "2", "hybrid"]
    for version in versions:
        metainfo = Metainfo.from_bytes(make_torrent("n", {("a",): b"A" * 100, ("b",): b"B"}, version))
        last = metainfo.geometry.pieces - 1
        piece = {"1": b"A" * 100 + b"B", "2": b"B", "hybrid": b"B" + bytes(BLOCK - 1)}[version]
        assert metainfo.piece_matches(last, piece)
        assert not metainfo.piece_matches(last, piece + b"\0")
        assert not metainfo.piece_matches(last, b"")


def test_versions():
    for version, v1, v2 in [("1", True, False), ("2", False, True), ("hybrid", True, True)]:
        metainfo = Metainfo.from_bytes(make_torrent("n", {(): b"x"}, version=version))  # type: ignore[arg-type]
        assert (metainfo.version, metainfo.has_v1, metainfo.has_v2) == (version, v1, v2)
        assert metainfo.piece_hash(0) == (sha1(b"x").digest() if v1 else b"")


def test_v1_does_not_look_at_layers():
    assert Metainfo.from_bytes(torrent(one_file(), piece_layers=5)).piece_layers == {}


def test_raw_paths_are_kept():
    data = torrent(many_files(entry(b"..", b"\xff"), entry(b"x", attr=b"x")))
    assert [file.raw_path for file in Metainfo.from_bytes(data).files] == [(b"..", b"\xff"), (b"x",)]
    assert Metainfo.from_bytes(torrent(one_file(name=b"a\xff"))).files[0].raw_path == (b"a\xff",)
    assert Metainfo.from_bytes(torrent(tree_info({b"\xff": leaf()}))).files[0].raw_path == (b"\xff",)


def many_in_a_list(count: int) -> dict[bytes, object]:
    files = [entry(b"folder %d" % (n // 100), b"file %d.txt" % n) for n in range(count)]
    return many_files(*files, pieces=-(-count * 10 // BLOCK))


def many_in_a_tree(count: int) -> dict[bytes, object]:
    return tree_info({b"folder %d" % n: {b"file %d" % m: leaf() for m in range(100)} for n in range(count // 100)})


@pytest.mark.slow
@pytest.mark.parametrize("make", [many_in_a_list, many_in_a_tree])
@pytest.mark.parametrize("around", [b"", b"\n"])  # the fast decoder, and the other
def test_many_files_take_linear_time(make, around):
    """Fifty thousand of them, in less than 60 microseconds each."""
    data = torrent(make(50_000)) + around
    started = time.process_time()
    assert len(Metainfo.from_bytes(data).files) == 50_000
    assert time.process_time() - started < 3
