"""Share a data set, or the weights of a model, between the machines of a cluster.

    python cluster.py publish DATA TORRENT HOST URL...    where the data is; HOST is how the others reach this machine
    python cluster.py fetch TORRENT FOLDER SECONDS        everywhere else

The machines pass on to each other what they have, so that fifty of them take hardly longer than one. URL is a web
server that has the data, too: the fallback when nobody else is up. Nobody outside hears of any of it, for the torrent
is private and brings a tracker of its own.
"""

import sys
from functools import partial
from pathlib import Path

import trio

import trio_torrent


def settings() -> trio_torrent.Settings:
    """A cluster's addresses are local ones, which a torrent may not make us ask unless we allow it."""
    return trio_torrent.Settings(port=0, allow_local=True)


async def publish(
    data: str, file: str, host: str, urls: list[str], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Make the torrent, be its tracker, and serve it until Ctrl-C."""
    async with trio.open_nursery() as nursery:
        tracker = await nursery.start(partial(trio_torrent.serve_tracker, host=host))
        metainfo = await trio_torrent.Metainfo.create(data, trackers=[[tracker.url]], web_seeds=urls, private=True)
        await trio.Path(file).write_bytes(metainfo.to_bytes())
        async with trio_torrent.open_client(settings()) as client:
            torrent = await client.add(metainfo, save_path=Path(data).parent, download=False)
            await torrent.wait_complete()
            task_status.started()
            await trio.sleep_forever()


async def fetch(file: str, folder: str, seconds: float) -> None:
    """Get it, serve it to the others for a while, and look at it once more."""
    metainfo = trio_torrent.Metainfo.from_file(file)
    async with trio_torrent.open_client(settings()) as client:
        torrent = await client.add(metainfo, save_path=folder)
        await torrent.wait_complete()
        status = torrent.status
        print(f"{torrent.name}: {status.done} bytes, complete; now for the others")
        await trio.sleep(seconds)
    found = await metainfo.verify(folder)  # every byte again, from the disk; each piece was verified when it came, too
    if not found.complete:
        sys.exit(f"{found.bad} pieces are bad, {found.missing} are missing")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["publish", data, file, host, *urls]:
            trio.run(publish, data, file, host, urls)
        case ["fetch", file, folder, seconds]:
            trio.run(fetch, file, folder, float(seconds))
        case _:
            sys.exit(__doc__)
