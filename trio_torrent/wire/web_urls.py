"""Where a web seed keeps a torrent's bytes: in files like ours (BEP 19), or behind a script that knows pieces (BEP 17).

Either way it has *resources*, known by number, and a block is spans of bytes in one or several of them.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias
from urllib.parse import quote

import attrs

from trio_torrent.metainfo.files import File, FileLayout
from trio_torrent.metainfo.geometry import Geometry
from trio_torrent.metainfo.torrent import Metainfo

from .messages import Request

Where: TypeAlias = tuple[int, int]
"""A resource, and bytes from its start."""


@attrs.frozen
class Span:
    """A run of bytes in one resource; None is padding, which nobody keeps: zeros (BEP 47)."""

    resource: int | None
    offset: int  # bytes from the start of the resource
    length: int


@attrs.frozen
class Get:
    """One request of HTTP: for the bytes of a resource from `start` to before `end`."""

    url: str
    start: int
    end: int
    size: int | None  # bytes of the whole resource, where the answer may be all of it

    @property
    def headers(self) -> dict[str, str]:
        """What the request says besides its URL."""
        return {} if self.size is None else {"Range": f"bytes={self.start}-{self.end - 1}"}


@attrs.frozen
class Probe:
    """A first request, by which it is seen what a server makes of ranges."""

    resource: int
    get: Get


class Source(Protocol):
    """What a web seed has, and how to ask for it."""

    def spans(self, request: Request) -> list[Span]:
        """What a block is made of, in order."""

    def get(self, resource: int, start: int, end: int) -> Get:
        """How to ask for these bytes."""

    def probe(self, piece: int) -> Probe | None:
        """A request for one byte of the piece's first resource, where that can tell something."""

    def size(self, resource: int) -> int:
        """Bytes of the resource."""

    def pieces_of(self, resource: int) -> range:
        """The pieces that have a byte of the resource."""


class Files:
    """A server with files that are laid out like ours (BEP 19)."""

    def __init__(self, url: str, metainfo: Metainfo) -> None:
        self._url = url.partition("#")[0]
        self._name = metainfo.info.raw_name
        self._layout: FileLayout = metainfo.layout
        self._geometry: Geometry = metainfo.geometry

    def spans(self, request: Request) -> list[Span]:
        """One for each file that the block has a part in."""
        start = self._geometry.piece_start(request.piece) + request.offset
        files = self._layout.files
        parts = self._layout.slices(start, request.length)
        return [Span(None if files[part.file].padding else part.file, part.offset, part.length) for part in parts]

    def get(self, resource: int, start: int, end: int) -> Get:
        """A part of one file, or all of it."""
        file = self._layout.files[resource]
        return Get(self._url_of(file), start, end, file.length)

    def _url_of(self, file: File) -> str:
        """A URL that ends in a slash is that of a folder, and so is every one of a torrent with a folder."""
        single = len(file.path) == 1
        if single and not self._url.endswith("/"):
            return self._url
        names = file.raw_path if single else (self._name, *file.raw_path)
        return f"{self._url.removesuffix('/')}/{'/'.join(quote(name, safe='') for name in names)}"

    def probe(self, piece: int) -> Probe | None:
        """For the first byte of the file."""
        (resource,) = [span.resource for span in self.spans(Request(piece, 0, 1))]
        return None if resource is None else Probe(resource, self.get(resource, 0, 1))

    def size(self, resource: int) -> int:
        """Bytes of the file."""
        return self._layout.files[resource].length

    def pieces_of(self, resource: int) -> range:
        """The pieces that have a byte of the file."""
        return self._layout.pieces_of(resource, self._geometry.piece_length)


class Script:
    """A script that gives pieces by their numbers, and parts of them (BEP 17)."""

    def __init__(self, url: str, info_hash: bytes, geometry: Geometry) -> None:
        url = url.partition("#")[0]
        self._url = f"{url}{'&' if '?' in url else '?'}info_hash={quote(info_hash, safe='')}"
        self._geometry = geometry

    def spans(self, request: Request) -> list[Span]:
        """The block, as part of its piece."""
        return [Span(request.piece, request.offset, request.length)]

    def get(self, resource: int, start: int, end: int) -> Get:
        """A part of one piece, or all of it."""
        whole = not start and end == self._geometry.piece_size(resource)
        part = "" if whole else f"&ranges={start}-{end - 1}"
        return Get(f"{self._url}&piece={resource}{part}", start, end, None)

    def probe(self, piece: int) -> Probe | None:
        """Scripts know of ranges: BEP 17 has them in the URL."""
        return None

    def size(self, resource: int) -> int:
        """Bytes of the piece."""
        return self._geometry.piece_size(resource)

    def pieces_of(self, resource: int) -> range:
        """The piece alone."""
        return range(resource, resource + 1)
