"""Download, and tell what happens meanwhile: `python watch.py SOURCE FOLDER SECONDS`.

Events come over a bounded channel: whoever reads them slowly is told how many were missed, and slows nothing down. How
fast it goes is asked for once a second; why nothing comes, if nothing does, is in `status.reason`. After SECONDS
it gives up, in trio's way: there are no time-outs among our own arguments.
"""

import sys

import trio

import trio_torrent


async def main(source: str, folder: str, seconds: float) -> None:
    async with trio_torrent.open_client() as client, trio.open_nursery() as nursery:
        torrent = await client.add(source, save_path=folder)
        nursery.start_soon(tell_rates, torrent)
        with trio.fail_after(seconds):
            await tell_events(torrent)
        nursery.cancel_scope.cancel()


async def tell_events(torrent: trio_torrent.Torrent) -> None:
    """Until it is complete, or the torrent ends for another reason."""
    async with torrent.events(buffer=100) as events:
        async for event in events:
            match event:
                case trio_torrent.Checked(have, pieces):
                    print(f"{have} of {pieces} pieces were there already")
                case trio_torrent.FileDone(path):
                    print(f"{path} is complete")
                case trio_torrent.Troubled(error):
                    print(f"waiting for the disk: {error}")
                case trio_torrent.Overflow(missed):
                    print(f"({missed} events went by unread)")
                case trio_torrent.Failed(error):
                    raise error
                case trio_torrent.Completed(took, downloaded, wasted):
                    print(f"complete: {downloaded} bytes in {took:.1f} s, {wasted} of them wasted")
                    return
                case _:
                    pass  # single pieces, and peers that come to nothing


async def tell_rates(torrent: trio_torrent.Torrent) -> None:
    while True:
        await trio.sleep(1)
        status = torrent.status
        print(f"{status.done}/{status.total} bytes, {status.down_rate:.0f} bytes/s, {status.reason or 'all is well'}")


if __name__ == "__main__":
    try:
        trio.run(main, sys.argv[1], sys.argv[2], float(sys.argv[3]))
    except* trio_torrent.TorrentError as group:
        sys.exit("\n".join(map(str, group.exceptions)))
    except* trio.TooSlowError:
        sys.exit("it took too long")
