"""Hostile bytes for the parsers: `python -m tests.fuzz 1000000 [SEED]`.

Inputs are good ones, damaged: bytes changed, cut, doubled, spliced with another's, lengths and numbers made extreme.
A parser may give a value or raise what it declares; anything else, more than 50 ms of it, or memory that grows by more
than 64 MB, ends the run with the input that did it. A parser of another part of the project joins by one line in
TARGETS.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from random import Random

import attrs

from tests.metainfo.cases import BAD, ODD
from tests.metainfo.making import Contents, make_torrent
from trio_torrent.bencode import decode, decode_prefix, decode_with_span, encode
from trio_torrent.errors import BencodeError, MagnetError, MetainfoError
from trio_torrent.metainfo import Magnet, Metainfo
from trio_torrent.metainfo.infohash import Version

SLOW = 0.05  # seconds of processor time that one small input may take
MAX_INPUT = 5000  # bytes
MAX_GROWTH = 64 << 20  # bytes by which the peak of the process may grow over one input

EXTREMES = [b"0", b"-1", b"00", b"16384", b"2147483648", b"4294967296", b"9223372036854775808", b"9" * 30]
TOKENS = [
    b"d",
    b"l",
    b"e",
    b"i",
    b":",
    b"0:",
    b"de",
    b"le",
    b"i0e",
    b"1:a",
    b"4:info",
    b"&",
    b"=",
    b"%",
    b"%00",
    b"%ff",
]


@attrs.frozen
class Target:
    """A parser, what it may raise, and inputs to begin with."""

    parse: Callable[[bytes], object]
    declared: type[Exception]
    corpus: Sequence[bytes]


def parse_bencode(data: bytes) -> None:
    """Every door of bencode; what is read is written and read again."""
    value, end = decode_prefix(data, max_depth=30)
    decode_with_span(data, b"info", max_depth=30, allow_trailing=True)
    assert decode(encode(value), max_depth=30) == value
    assert decode(data[:end], max_depth=30) == value


def parse_metainfo(data: bytes) -> None:
    """A torrent that is taken keeps its bytes, leads nowhere but below the save path, and can be worked with."""
    metainfo = Metainfo.from_bytes(data)
    assert metainfo.to_bytes() == data
    for file in metainfo.files:
        assert file.path
        assert not {"", ".", ".."} & set(file.path)
        assert not any("/" in name or "\0" in name for name in file.path)
    real = [file.path for file in metainfo.files if not file.padding]
    assert len({"/".join(path).casefold() for path in real}) == len(real)
    last = metainfo.geometry.pieces - 1
    assert metainfo.layout.slices(metainfo.geometry.piece_start(last), metainfo.geometry.piece_size(last))
    assert Magnet.parse(str(metainfo.magnet)).info_hashes == metainfo.info_hashes
    assert Metainfo.from_info(metainfo.info_bytes).info == metainfo.info


def parse_magnet(data: bytes) -> None:
    """A link that is taken is written and read again."""
    magnet = Magnet.parse(data.decode(errors="surrogateescape"))
    assert Magnet.parse(str(magnet)) == magnet


def torrents() -> Iterable[bytes]:
    known = [case[0] for case in BAD.values()] + [case[0] for case in ODD.values()]
    yield from (data for data in known if len(data) < MAX_INPUT)
    contents: Contents = {("a",): bytes(40000), ("d", "b"): b"b", ("d", "c"): b""}
    versions: list[Version] = ["1", "2", "hybrid"]
    for version in versions:
        yield make_torrent("n", contents, version, trackers=[["http://a.example/"]], web_seeds=["http://b.example/"])


V1, V2 = "urn:btih:" + "0f" * 20, "urn:btmh:1220" + "0f" * 32
MAGNETS = [
    f"magnet:?xt={V1}",
    f"magnet:?xt={V2}&dn=a%20name&tr=udp%3A%2F%2Fa.example%3A80&ws=http://b.example/&x.pe=[::1]:80&so=0,2,4-6",
    f"magnet:?xt={V1}&xt={V2}&xs=http://c.example/&tr.1=http://d.example/&x.pe=1.2.3.4:5",
    "0f" * 20,
]
TORRENTS = [*torrents()]
TARGETS = {
    "bencode": Target(parse_bencode, BencodeError, TORRENTS),
    "metainfo": Target(parse_metainfo, MetainfoError, TORRENTS),
    "magnet": Target(parse_magnet, MagnetError, [link.encode() for link in MAGNETS]),
}


def damage(random: Random, corpus: Sequence[bytes]) -> bytes:
    """One of the corpus, changed in one to four places."""
    data = bytearray(random.choice(corpus))
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(7):
            case 0:
                data[at : at + 1] = random.randbytes(1)
            case 1:
                del data[at : at + random.randint(1, 20)]
            case 2:
                data[at:at] = random.choice(TOKENS)
            case 3:
                data[at:at] = data[at : at + random.randint(1, 40)]
            case 4:
                change_number(random, data, at)
            case 5:
                other = random.choice(corpus)
                start = random.randrange(len(other) + 1)
                data[at : at + random.randint(0, 40)] = other[start : start + random.randint(1, 80)]
            case _:
                del data[at:]
    return bytes(data[:MAX_INPUT])


def change_number(random: Random, data: bytearray, at: int) -> None:
    """Put something extreme in the place of the first number from `at` on."""
    digits = b"0123456789"
    start = next((i for i in range(at, len(data)) if data[i] in digits), None)
    if start is not None:
        end = next((i for i in range(start, len(data)) if data[i] not in digits), len(data))
        data[start:end] = random.choice(EXTREMES)


def fuzz(target: Target, count: int, seed: int) -> int:
    """Run so many inputs; how many were taken. AssertionError with the input that was too much."""
    random = Random(seed)
    taken = 0
    for _ in range(count):
        data = damage(random, target.corpus)
        before = peak_memory()
        started = time.thread_time()
        try:
            target.parse(data)
            taken += 1
        except target.declared:
            pass
        except BaseException as error:
            raise AssertionError(f"{target.parse.__name__} of {data!r} raised {error!r}") from error
        spent = time.thread_time() - started
        assert peak_memory() - before < MAX_GROWTH, f"memory for {data!r}"
        assert spent < SLOW or quickest(target, data) < SLOW, f"{spent:.3f} s for {data!r}"
    return taken


def peak_memory() -> int:
    """Bytes; Linux counts in KiB. Never falls, so one look before and one after tell what came in between."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def quickest(target: Target, data: bytes) -> float:
    """Once more, for a collection of garbage or a busy machine may have been in it."""
    times = []
    for _ in range(3):
        started = time.thread_time()
        with contextlib.suppress(target.declared):
            target.parse(data)
        times.append(time.thread_time() - started)
    return min(times)


def main(arguments: Sequence[str]) -> None:
    count = int(arguments[0]) if arguments else 100_000
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    for name, target in TARGETS.items():
        started = time.perf_counter()
        taken = fuzz(target, count, seed)
        seconds = time.perf_counter() - started
        print(f"{name}: {count} inputs, {taken} taken, {count / seconds:.0f}/s, seed {seed}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
