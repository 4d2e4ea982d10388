"""Play what is not there yet: `python stream.py SOURCE NUMBER FOLDER | mpv -`.

The file with that number is written to the standard output as its bytes arrive, and what is needed next is fetched
first. What a player or an archive keeps at the end of its files is fetched before that, with a seek, as an example; the
other files are left alone.
"""

import io
import sys
from typing import BinaryIO

import trio

import trio_torrent

INDEX = 64 * 2**10  # bytes at the end


async def main(source: str, number: int, folder: str, out: BinaryIO) -> None:
    async with trio_torrent.open_client() as client:
        torrent = await client.add(source, save_path=folder, select=[number])
        await torrent.wait_metadata()  # of a link, it takes a moment until there are files
        (file,) = [file for file in torrent.files if file.number == number]
        async with file.open() as reader:
            await reader.seek(-min(INDEX, file.length), io.SEEK_END)
            index = b"".join([bytes(chunk) async for chunk in reader])
            print(f"{file.path}: {len(index)} bytes at the end are there", file=sys.stderr)
            await reader.seek(0)
            async for chunk in reader:
                await trio.to_thread.run_sync(out.write, chunk)
        print(f"{torrent.status.done} of {torrent.status.total} bytes are there", file=sys.stderr)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.stdout.buffer)
