"""Make a torrent of a file or a folder, and serve it until Ctrl-C: `python seed.py PATH TRACKER...`.

The .torrent is written beside it, and its magnet link is printed. On leaving, the trackers are told.
"""

import sys

import trio

import trio_torrent


async def main(path: str, trackers: list[str]) -> None:
    data = trio.Path(path)
    metainfo = await trio_torrent.Metainfo.create(data, trackers=[[url] for url in trackers])
    await data.with_name(f"{data.name}.torrent").write_bytes(metainfo.to_bytes())
    async with trio_torrent.open_client() as client:
        torrent = await client.add(metainfo, save_path=data.parent, download=False)
        await torrent.wait_complete()  # all of it is there: anything else would be an IncompleteError
        print(metainfo.magnet, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    try:
        trio.run(main, sys.argv[1], sys.argv[2:])
    except* KeyboardInterrupt:
        print("stopped")
