"""A seeder that costs next to nothing, so that it is not what is measured.

`python -m tests.bench.raw_seeder IMAGE INFO_HASH PIECES PIECE_LENGTH` prints its port. It calls whom its standard input
names (`HOST PORT`, one a line), and ends with it. The image has each block as the message that carries it, one after
the other: requests for blocks in a row are one `sendfile`, and no byte of them passes through the process.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from trio_torrent.bitfield import Bitfield
from trio_torrent.metainfo.geometry import BLOCK_SIZE
from trio_torrent.wire.codec import encode_all
from trio_torrent.wire.handshake import Handshake
from trio_torrent.wire.messages import Bitfield as BitfieldMessage
from trio_torrent.wire.messages import Unchoke

PIECE_HEADER = struct.Struct(">IBII")  # length of what follows, kind, piece, offset
REQUEST = struct.Struct(">IBIII")  # and length of the block
PIECE_KIND, REQUEST_KIND = 7, 6
MESSAGE = PIECE_HEADER.size + BLOCK_SIZE
HANDSHAKE = 68
RECEIVE = 1 << 18


def make_image(path: Path, chunks: Iterator[bytes], piece_length: int) -> None:
    """Write the image of a payload, which comes as its blocks."""
    blocks = piece_length // BLOCK_SIZE
    with path.open("wb") as file:
        for number, block in enumerate(chunks):
            piece, offset = number // blocks, number % blocks * BLOCK_SIZE
            file.write(PIECE_HEADER.pack(PIECE_HEADER.size - 4 + len(block), PIECE_KIND, piece, offset))
            file.write(block)


class Seeder:
    """Has everything, chokes nobody, and believes what it is told."""

    def __init__(self, image: Path, info_hash: bytes, pieces: int, piece_length: int) -> None:
        self.image = os.open(image, os.O_RDONLY)
        self.size = os.fstat(self.image).st_size
        self.blocks = piece_length // BLOCK_SIZE
        self.info_hash = info_hash
        self.selector = selectors.DefaultSelector()
        self._opening = encode_all([BitfieldMessage(bytes(Bitfield.full(pieces))), Unchoke()])
        self._names = iter(range(1 << 30))

    def hello(self) -> bytes:
        """To be said first. Some clients know a peer by its id, so each connection has its own."""
        return bytes(Handshake(self.info_hash, b"-RW0000-%012d" % next(self._names), 0)) + self._opening

    def listen(self) -> int:
        """The port where it takes connections."""
        server = socket.create_server(("127.0.0.1", 0))
        self.selector.register(server, selectors.EVENT_READ, lambda mask: self.accept(server))
        return int(server.getsockname()[1])

    def accept(self, server: socket.socket) -> None:
        Connection(self, server.accept()[0], dialled=False)

    def dial(self, host: str, port: int) -> None:
        Connection(self, socket.create_connection((host, port)), dialled=True)

    def run(self) -> None:
        """Until the end of standard input."""
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, mask in self.selector.select():
                on_ready: Callable[[int], None] | None = key.data
                if on_ready is not None:
                    on_ready(mask)
                elif line := sys.stdin.readline():
                    host, port = line.split()
                    self.dial(host, int(port))
                else:
                    return


class Connection:
    """One that downloads."""

    def __init__(self, seeder: Seeder, sock: socket.socket, *, dialled: bool) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seeder = seeder
        self._sock = sock
        self._heard = b""
        self._greeted = dialled
        self._shaken = False
        self._runs: deque[tuple[int, int]] = deque()  # of the image: from, to
        self._mask = selectors.EVENT_READ
        seeder.selector.register(sock, self._mask, self.on_ready)
        if dialled:
            sock.sendall(seeder.hello())

    def on_ready(self, mask: int) -> None:
        try:
            if mask & selectors.EVENT_READ:
                self._read()
            self._write()
        except (ConnectionError, ValueError, EOFError):
            self._seeder.selector.unregister(self._sock)
            self._sock.close()

    def _read(self) -> None:
        if not (data := self._sock.recv(RECEIVE)):
            raise EOFError
        data = self._heard + data
        if not self._shaken and len(data) < HANDSHAKE:
            self._heard = data
            return
        at = 0 if self._shaken else self._shake(data)
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4])
            if end > len(data):
                break
            if end - at == REQUEST.size and data[at + 4] == REQUEST_KIND:
                self._ask(*REQUEST.unpack_from(data, at)[2:])
            at = end
        self._heard = data[at:]

    def _shake(self, data: bytes) -> int:
        if data[28:48] != self._seeder.info_hash:
            raise ValueError("another torrent")
        self._shaken = True
        if not self._greeted:
            self._sock.sendall(self._seeder.hello())
        return HANDSHAKE

    def _ask(self, piece: int, offset: int, length: int) -> None:
        start = (piece * self._seeder.blocks + offset // BLOCK_SIZE) * MESSAGE
        end = min(start + MESSAGE, self._seeder.size)
        if offset % BLOCK_SIZE or end - start != PIECE_HEADER.size + length:
            raise ValueError("not a block")
        if self._runs and self._runs[-1][1] == start:
            start = self._runs.pop()[0]
        self._runs.append((start, end))

    def _write(self) -> None:
        wanted = selectors.EVENT_READ
        while self._runs:
            start, end = self._runs[0]
            try:
                start += os.sendfile(self._sock.fileno(), self._seeder.image, start, end - start)
            except BlockingIOError:
                wanted |= selectors.EVENT_WRITE
                break
            self._runs[0] = start, end
            if start == end:
                self._runs.popleft()
        if wanted != self._mask:
            self._mask = wanted
            self._seeder.selector.modify(self._sock, wanted, self.on_ready)


def main(image: str, info_hash: str, pieces: str, piece_length: str) -> None:
    seeder = Seeder(Path(image), bytes.fromhex(info_hash), int(pieces), int(piece_length))
    print(seeder.listen(), flush=True)
    seeder.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
