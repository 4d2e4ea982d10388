"""Where a benchmark has its files: a payload, and its torrent."""

from __future__ import annotations

import filecmp
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from trio_torrent import Metainfo
from trio_torrent.metainfo.geometry import BLOCK_SIZE

from .clients import NODE

READ = 1 << 20
MEMORY = Path("/dev/shm")  # a disk that costs nothing, where there is one


class Place(NamedTuple):
    """The payload is one file, or a folder of them, in a folder of its own."""

    folder: Path
    payload: Path
    torrent: Path
    size: int

    @property
    def metainfo(self) -> Metainfo:
        return Metainfo.from_file(self.torrent)

    def blocks(self) -> Iterator[bytes]:
        """All of it, 16 KiB by 16 KiB."""
        rest = b""
        for file in self.metainfo.files:
            with self.payload.parent.joinpath(*file.path).open("rb") as opened:
                while data := opened.read(READ):
                    data = rest + data
                    whole = len(data) - len(data) % BLOCK_SIZE
                    yield from (data[at : at + BLOCK_SIZE] for at in range(0, whole, BLOCK_SIZE))
                    rest = data[whole:]
        if rest:
            yield rest

    def is_in(self, folder: Path) -> bool:
        """Whether a folder has the payload, byte for byte."""
        paths = [Path(*file.path) for file in self.metainfo.files]
        same, _, _ = filecmp.cmpfiles(self.payload.parent, folder, [str(path) for path in paths], shallow=False)
        filecmp.clear_cache()
        return len(same) == len(paths)


@contextmanager
def place(
    size: int, piece_length: int = 1 << 20, *, files: int = 1, tracker: str = "", disk: str = ""
) -> Iterator[Place]:
    """So many bytes, at random, in so many files of equal size."""
    with tempfile.TemporaryDirectory(prefix="trio-torrent-bench-", dir=disk or None) as name:
        folder = Path(name)
        payload = folder / "data" / ("payload.bin" if files == 1 else "payload")
        payload.parent.mkdir()
        if files > 1:
            payload.mkdir()
        for number in range(files):
            _write(payload if files == 1 else payload / f"{number:05}.bin", size // files)
        torrent = folder / "payload.torrent"
        subprocess.run([*NODE, "make", str(payload), str(torrent), str(piece_length), tracker], check=True)
        yield Place(folder, payload, torrent, size)


def _write(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for start in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - start)))
