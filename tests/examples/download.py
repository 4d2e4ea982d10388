"""Download a torrent: `python download.py SOURCE FOLDER`.

SOURCE is the path or the URL of a .torrent, a magnet link or an info-hash. What is in FOLDER is checked, and kept.
"""

import sys

import trio

import trio_torrent


async def main(source: str, folder: str) -> None:
    async with trio_torrent.open_client() as client:
        torrent = await client.add(source, save_path=folder)
        await torrent.wait_complete()
        print(f"{torrent.name}: {torrent.status.done} bytes in {torrent.save_path}")


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
