"""A file and a folder from nginx over loopback: by us, by libtorrent as a web seed, and by curl, in turns.

`python -m tests.bench.webseed TORRENT FOLDER` is our side of it; with no torrent, it is what our side always costs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import trio

from trio_torrent import Metainfo, Settings, open_client
from trio_torrent.bencode import decode, encode

from .clients import HOST, NODE, free_port
from .measure import Cost, running, spent, wait_for_port
from .place import place

PIECE_LENGTH = 1 << 20

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
{user}
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""
FILES = (25_123_457, 5_000_001, 300_000, 1, 16 << 20)  # bytes, again and again, until all is in files

OURS, START = "trio-torrent", "trio-torrent, start and end only"

Command = Callable[[Path], Sequence[str | Path]]


def run(size: int, rounds: int) -> None:
    """Each downloads to files of its own. All of them start a process, and curl's is the quickest to start."""
    with place(size) as where:
        folder = where.payload.parent / "folder"
        split(where.payload, folder)
        with nginx(where.payload.parent) as url:
            for title, what in (("web seed, one file", where.payload), ("web seed, a folder", folder)):
                torrent = where.folder / f"{what.name}.torrent"
                subprocess.run([*NODE, "make", str(what), str(torrent), str(PIECE_LENGTH)], check=True)
                add_web_seed(torrent, url)
                contest(title, what, contenders(what, torrent, url), size, rounds)


def split(payload: Path, folder: Path) -> None:
    """The same bytes as several files."""
    folder.mkdir()
    with payload.open("rb") as source:
        number = 0
        while data := source.read(FILES[number % len(FILES)]):
            (folder / f"{number:03}").write_bytes(data)
            number += 1


def contenders(what: Path, torrent: Path, url: str) -> dict[str, Command]:
    names = sorted(f"{what.name}/{file.name}" for file in what.iterdir()) if what.is_dir() else [what.name]

    def curl(out: Path | None) -> list[str]:
        targets = ((str(out / name) if out else os.devnull, url + name) for name in names)
        return ["curl", "-s", "--create-dirs", *(word for pair in targets for word in ("-o", *pair))]

    return {
        OURS: lambda out: [sys.executable, "-m", __spec__.name, str(torrent), str(out)],
        "libtorrent": lambda out: [*NODE, "leech", str(torrent), str(out), "127.0.0.1:1"],  # no peer, but a web seed
        START: lambda out: [sys.executable, "-m", __spec__.name],
        "curl": curl,
        "curl, kept nowhere": lambda out: curl(None),
    }


def contest(title: str, what: Path, contenders: dict[str, Command], size: int, rounds: int) -> None:
    """All take their turns; the first turn of each is not counted, as it meets cold memory."""
    results: dict[str, list[Cost]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, command in contenders.items():
            cost = one_turn(command, what, keeps="," not in name)
            if turn:
                results[name].append(cost)
    report(f"{title}: {size >> 20} MiB, pieces of {PIECE_LENGTH >> 10} KiB", results, size)


def one_turn(command: Command, what: Path, *, keeps: bool) -> Cost:
    with tempfile.TemporaryDirectory(dir=what.parent.parent) as name:
        out = Path(name)
        cost = spent(command(out))
        if keeps and sizes(out / what.name) != sizes(what):
            raise RuntimeError(f"{command(out)} failed")
        return cost


def sizes(what: Path) -> list[int]:
    return [file.stat().st_size for file in sorted(what.iterdir())] if what.is_dir() else [what.stat().st_size]


def report(title: str, results: dict[str, list[Cost]], size: int) -> None:
    """A table of medians, and of how fast that is beside curl; of its quickest turns, too, where others disturb."""
    print(f"\n{title}")
    print("| client | MB/s | x curl | x curl, at best | CPU s/GiB | RSS MiB |\n|---|---|---|---|---|---|")
    curl = [cost.seconds for cost in results["curl"]]
    for name, costs in results.items():
        seconds, cpu, rss = map(statistics.median, zip(*costs, strict=True))
        best = min(curl) / min(cost.seconds for cost in costs)
        print(
            f"| {name} | {size / seconds / 1e6:.0f} | {statistics.median(curl) / seconds:.2f} | {best:.2f} "
            f"| {cpu * (1 << 30) / size:.2f} | {rss:.0f} |"
        )
    ours, start = (statistics.median([cost.seconds for cost in results[name]]) for name in (OURS, START))
    print(f"Once it has started, trio-torrent is {statistics.median(curl) / (ours - start):.2f} x curl.")


def add_web_seed(torrent: Path, url: str) -> None:
    fields = decode(torrent.read_bytes(), max_depth=10)
    assert isinstance(fields, dict)
    torrent.write_bytes(encode({**fields, b"url-list": url.encode()}))


@contextmanager
def nginx(root: Path) -> Iterator[str]:
    """Where it serves the folder."""
    with tempfile.TemporaryDirectory(prefix="trio-torrent-nginx-") as name:
        port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""  # else it changes to one who cannot read our folders
        configuration = Path(name) / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=name, user=user, port=port, root=root))
        with running(["nginx", "-p", name, "-e", f"{name}/errors", "-c", str(configuration)]) as server:
            wait_for_port(server, port)
            yield f"http://{HOST}:{port}/"


async def download(*what: str) -> None:
    async with open_client(Settings(port=0, trackers=False, allow_local=True)) as client:
        if not what:
            import_module("trio_torrent.client.webseed")  # as the first torrent that has one does
        else:
            added = await client.add(Metainfo.from_file(what[0]), save_path=what[1])
            await added.wait_complete()


if __name__ == "__main__":
    trio.run(download, *sys.argv[1:])
