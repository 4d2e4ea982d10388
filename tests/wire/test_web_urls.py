"""Which URL, and which bytes of it, a block is: for files like ours (BEP 19) and for scripts (BEP 17)."""

import pytest

from tests.metainfo.making import BLOCK, Contents, make_torrent
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.metainfo.infohash import Version
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.wire.messages import Request
from trio_torrent.wire.web_urls import Files, Get, Script, Span

HASH = bytes(range(0x1A, 0x2E))


def read(name: str, contents: Contents, version: Version = "1") -> Metainfo:
    return Metainfo.from_bytes(make_torrent(name, contents, version))


SINGLE = read("a file é#1%.bin", {(): bytes(3 * BLOCK)})
FOLDER = read("dir", {("a b", "c?d#e%é"): bytes(BLOCK + 100), ("z",): bytes(BLOCK)})


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h.example/other.bin", "http://h.example/other.bin"),  # BEP 19: as it is
        ("http://h.example/dl?id=3", "http://h.example/dl?id=3"),
        ("http://h.example/pub/", "http://h.example/pub/a%20file%20%C3%A9%231%25.bin"),
        ("http://h.example/pub/#top", "http://h.example/pub/a%20file%20%C3%A9%231%25.bin"),
        ("http://h.example", "http://h.example"),
    ],
)
def test_the_url_of_a_single_file(base, url):
    assert Files(base, SINGLE).get(0, 0, 10).url == url


@pytest.mark.parametrize("base", ["http://h.example/pub/", "http://h.example/pub"])
@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
def test_the_urls_of_a_folder(base, version):
    contents = {("a b", "c?d#e%é"): bytes(BLOCK + 100), ("z",): bytes(BLOCK)}
    metainfo = read("dir ü", contents, version)
    numbers = [number for number, file in enumerate(metainfo.files) if not file.padding]
    urls = [Files(base, metainfo).get(number, 0, 1).url for number in numbers]
    assert urls == [
        "http://h.example/pub/dir%20%C3%BC/a%20b/c%3Fd%23e%25%C3%A9",
        "http://h.example/pub/dir%20%C3%BC/z",
    ]


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
def test_a_single_file_is_one_in_every_version(version):
    metainfo = read("x", {(): bytes(10)}, version)
    assert Files("http://h.example/y", metainfo).get(0, 0, 10).url == "http://h.example/y"


def test_a_name_that_is_not_safe_here_is_asked_for_as_the_torrent_has_it():
    metainfo = read("CON", {("a:b|c",): bytes(BLOCK)})
    assert Files("http://h.example/", metainfo).get(0, 0, 1).url == "http://h.example/CON/a%3Ab%7Cc"


def test_a_range_has_its_last_byte_in_it():
    get = Files("http://h.example/", FOLDER).get(0, 100, 200)
    assert (get.headers, get.start, get.end, get.size) == ({"Range": "bytes=100-199"}, 100, 200, BLOCK + 100)


def test_a_block_that_spans_files_is_a_span_of_each():
    files = Files("http://h.example/", FOLDER)
    assert files.spans(Request(0, 0, BLOCK)) == [Span(0, 0, BLOCK)]
    assert files.spans(Request(1, 0, BLOCK)) == [Span(0, BLOCK, 100), Span(1, 0, BLOCK - 100)]
    assert files.spans(Request(2, 0, 100)) == [Span(1, BLOCK - 100, 100)]
    assert files.spans(Request(0, 0, BLOCK)) == [Span(0, 0, BLOCK)]  # and back


def test_padding_is_nobodys():
    metainfo = read("dir", {("a",): bytes(100), ("b",): bytes(50)}, "hybrid")
    files = Files("http://h.example/", metainfo)
    assert files.spans(Request(0, 0, BLOCK)) == [Span(0, 0, 100), Span(None, 0, BLOCK - 100)]
    assert files.spans(Request(0, 200, 10)) == [Span(None, 100, 10)]
    assert files.spans(Request(1, 0, 50)) == [Span(2, 0, 50)]


def test_what_is_lost_with_a_file():
    files = Files("http://h.example/", FOLDER)
    assert (files.pieces_of(0), files.pieces_of(1)) == (range(2), range(1, 3))
    assert (files.size(0), files.size(1)) == (BLOCK + 100, BLOCK)


@pytest.mark.parametrize(
    ("base", "start", "end", "url"),
    [
        ("http://h.example/s.php", 0, 2 * BLOCK, "http://h.example/s.php?info_hash={}&piece=1"),
        ("http://h.example/s.php?k=v", 0, 2 * BLOCK, "http://h.example/s.php?k=v&info_hash={}&piece=1"),
        ("http://h.example/s.php", BLOCK, 2 * BLOCK, "http://h.example/s.php?info_hash={}&piece=1&ranges=16384-32767"),
        ("http://h.example/s.php", 0, BLOCK, "http://h.example/s.php?info_hash={}&piece=1&ranges=0-16383"),
    ],
)
def test_a_script_is_told_hash_piece_and_ranges(base, start, end, url):
    script = Script(base, HASH, Geometry.contiguous(2 * BLOCK, 4 * BLOCK))
    quoted = "%1A%1B%1C%1D%1E%1F%20%21%22%23%24%25%26%27%28%29%2A%2B%2C-"
    assert script.get(1, start, end) == Get(url.format(quoted), start, end, None)
    assert script.get(1, start, end).headers == {}


def test_a_script_has_pieces():
    script = Script("http://h.example/", HASH, Geometry.contiguous(2 * BLOCK, 4 * BLOCK + 10))
    assert script.spans(Request(1, BLOCK, BLOCK)) == [Span(1, BLOCK, BLOCK)]
    assert (script.size(1), script.size(2), script.pieces_of(2)) == (2 * BLOCK, 10, range(2, 3))
