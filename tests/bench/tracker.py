"""A tracker that has the same peers for everybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from trio_torrent.address import Address, pack
from trio_torrent.bencode import encode

LOOK_SECONDS = 0.02  # between looks at whether it is to end


class Tracker:
    """Made by `serve_fixed_peers`. Announces of those who have everything are answered without peers."""

    def __init__(self) -> None:
        self.peers: Sequence[Address] = ()
        self.port = 0
        self.on_first: Callable[[int], None] = lambda port: None
        self.first: float | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/announce"

    def reset(self, peers: Sequence[Address], on_first: Callable[[int], None] = lambda port: None) -> None:
        """For the next that downloads. `on_first` is told of its port when it announces first."""
        self.peers, self.on_first, self.first = peers, on_first, None

    def answer(self, target: str) -> bytes:
        query = parse_qs(urlsplit(target).query, keep_blank_values=True, encoding="latin1")
        lacks = query.get("left", ["1"])[0] != "0" and query.get("event") != ["stopped"]
        if lacks and self.first is None:
            self.first = time.perf_counter()
            self.on_first(int(query["port"][0]))
        peers = pack(self.peers if lacks else ())[0]
        return encode({b"interval": 1800, b"complete": len(self.peers), b"incomplete": 1, b"peers": peers})


@contextmanager
def serve_fixed_peers() -> Iterator[Tracker]:
    """In a thread, on any free port."""
    tracker = Tracker()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = tracker.answer(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # some end as soon as they have asked
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        tracker.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=[LOOK_SECONDS], daemon=True).start()
        yield tracker
        server.shutdown()
