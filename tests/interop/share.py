"""Something to share: content in a folder, its torrent, and how to know it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from tests.payload import multi, random_bytes, single, write
from trio_torrent import Metainfo

KiB, MiB = 1 << 10, 1 << 20

EMPTY = hashlib.sha256().hexdigest()

Make = Callable[[str], tuple[Metainfo, Mapping[str, bytes]]]
"""A torrent for an announce URL, and its files by their paths from the save path."""


@attrs.frozen(eq=False)
class Share:
    """A torrent whose content is known. The paths of `digests` (SHA-256) start in the save path."""

    metainfo: Metainfo
    torrent: Path
    folder: Path
    digests: Mapping[str, str]

    @property
    def info_hash(self) -> bytes:
        """As trackers know it."""
        return self.metainfo.info_hashes.wire

    def is_in(self, folder: Path, *, empty_files: bool = True) -> bool:
        """Whether every file is there and every byte is right; `empty_files=False` excuses who makes no empty ones."""
        wanted = {path: digest for path, digest in self.digests.items() if empty_files or digest != EMPTY}
        return all(_digest(folder / path) == digest for path, digest in wanted.items())


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_share(folder: Path, make: Make, announce: str) -> Share:
    """Write content and torrent into the folder."""
    metainfo, files = make(announce)
    torrent = folder / "shared.torrent"
    torrent.write_bytes(metainfo.to_bytes())
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    return Share(metainfo, torrent, write(folder / "content", files), digests)


# Each ends in a piece and in a block that are short.


def small_pieces(announce: str) -> tuple[Metainfo, Mapping[str, bytes]]:
    """One file in pieces of one block."""
    data = random_bytes(8 * MiB + 5 * KiB + 1)
    return single(data, piece_length=16 * KiB, announce=announce), {"payload.bin": data}


def large_pieces(announce: str) -> tuple[Metainfo, Mapping[str, bytes]]:
    """One file in pieces of 64 blocks."""
    data = random_bytes(24 * MiB + 50 * KiB + 7)
    return single(data, piece_length=1 * MiB, announce=announce), {"payload.bin": data}


def folder_of_files(announce: str) -> tuple[Metainfo, Mapping[str, bytes]]:
    """Files in folders: empty, tiny, as long as a piece, and such that pieces span several of them."""
    sizes = {
        "a/first": 3 * MiB + 17,
        "a/b/c/deep": 256 * KiB,
        "empty": 0,
        "one byte": 1,
        "names/äöü 日本": 100 * KiB,
        "z/large": 9 * MiB,
        "z/last": 700 * KiB + 3,
    }
    files = {path: random_bytes(size, seed) for seed, (path, size) in enumerate(sizes.items())}
    metainfo = multi(files, piece_length=256 * KiB, announce=announce)
    return metainfo, {f"folder/{path}": data for path, data in files.items()}
