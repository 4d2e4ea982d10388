"""A small web service that downloads what it is sent: `python service.py PORT FOLDER`.

    curl --data-binary @debian.torrent localhost:8080      # or -d 'magnet:?…'
    curl localhost:8080                                    # how they all stand, as JSON

The client is one more thing in the program's nursery. Whatever ends the program, the client leaves its swarms first.
"""

import json
import sys
from functools import partial

import h11
import trio

import trio_torrent

MAX_BODY = 10 * 2**20  # bytes, of a .torrent


async def main(port: int, folder: str, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
    async with trio_torrent.open_client() as client, trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, partial(answer, client, folder), port, host="localhost")
        listeners = await nursery.start(serve)
        task_status.started(listeners[0].socket.getsockname()[1])


async def answer(client: trio_torrent.Client, folder: str, stream: trio.SocketStream) -> None:
    """One request, from its first line to the end of the answer."""
    connection = h11.Connection(h11.SERVER)
    with trio.move_on_after(30):
        try:
            method, body = await receive(connection, stream)
            status, found = await act(client, folder, method, body)
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(found))),
                ("Connection", "close"),
            ]
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(found), h11.EndOfMessage()):
                await stream.send_all(connection.send(event) or b"")
        except (h11.RemoteProtocolError, trio.BrokenResourceError):
            pass  # no HTTP, or gone


async def act(client: trio_torrent.Client, folder: str, method: bytes, body: bytes) -> tuple[int, bytes]:
    """Do what the request asks for."""
    if method == b"POST":
        try:
            await client.add(read(body), save_path=folder)
        except (trio_torrent.TorrentError, OSError, ValueError) as error:
            return 400, json.dumps({"error": str(error)}).encode()
    return 200, json.dumps(list(map(describe, client.torrents))).encode()


def read(body: bytes) -> trio_torrent.Metainfo | trio_torrent.Magnet:
    """A .torrent or a link; as plain text, `add` would also take the path of a file of ours."""
    if body.startswith(b"d"):
        return trio_torrent.Metainfo.from_bytes(body)
    return trio_torrent.Magnet.parse(body.decode())


def describe(torrent: trio_torrent.Torrent) -> dict[str, object]:
    status = torrent.status
    return {"name": torrent.name, "state": status.state.value, "done": status.done, "total": status.total}


async def receive(connection: h11.Connection, stream: trio.SocketStream) -> tuple[bytes, bytes]:
    """The method and the body of a request."""
    method, body = b"", b""
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            case h11.Request() as request:
                method = request.method
            case h11.Data(data=data) if len(body) + len(data) <= MAX_BODY:
                body += data
            case h11.EndOfMessage():
                return method, body
            case _:
                raise h11.RemoteProtocolError("too long, or cut off")


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), sys.argv[2])
