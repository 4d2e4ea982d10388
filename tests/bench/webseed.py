"""One file from nginx over loopback: by us, by libtorrent as a web seed, and by curl, in turns.

`python -m tests.bench.webseed TORRENT FOLDER` is our side of it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import trio

from trio_torrent import Metainfo, Settings, open_client
from trio_torrent.bencode import decode, encode

from .clients import NODE
from .measure import running
from .place import Place, place
from .transfer import PORT, contest, wait_for_port

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


def run(size: int, rounds: int) -> None:
    """Each downloads to a file of its own. All of them start a process, and curl's is the quickest to start."""
    with place(size) as where, nginx(where):
        add_web_seed(where.torrent)

        def ours(out: Path) -> Sequence[str | Path]:
            return [sys.executable, "-m", __spec__.name, str(where.torrent), str(out)]

        def libtorrents(out: Path) -> Sequence[str | Path]:
            return [*NODE, "leech", str(where.torrent), str(out), "127.0.0.1:1"]  # no peer, but a web seed

        def curls(out: Path) -> Sequence[str | Path]:
            return ["curl", "-s", "-o", str(out / where.payload.name), url(where)]

        contest("web seed", where, rounds, {"trio-torrent": ours, "libtorrent": libtorrents, "curl": curls})


def url(where: Place) -> str:
    return f"http://127.0.0.1:{PORT}/{where.payload.name}"


def add_web_seed(torrent: Path) -> None:
    fields = decode(torrent.read_bytes(), max_depth=10)
    assert isinstance(fields, dict)
    torrent.write_bytes(encode({**fields, b"url-list": f"http://127.0.0.1:{PORT}/".encode()}))


@contextmanager
def nginx(where: Place) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="trio-torrent-nginx-") as name:
        configuration = Path(name) / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=name, port=PORT, root=where.payload.parent))
        with running(["nginx", "-p", name, "-e", f"{name}/errors", "-c", configuration]) as server:
            wait_for_port(server)
            yield


async def download(torrent: str, folder: str) -> None:
    async with open_client(Settings(port=0, trackers=False, allow_local=True)) as client:
        added = await client.add(Metainfo.from_file(torrent), save_path=folder)
        await added.wait_complete()


if __name__ == "__main__":
    trio.run(download, sys.argv[1], sys.argv[2])
