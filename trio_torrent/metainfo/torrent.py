"""A .torrent file: an info dictionary and what surrounds it (BEP 3, 5, 12, 17, 19, 52)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from typing import Self

import attrs

from trio_torrent.address import Address
from trio_torrent.bencode import Value, decode, decode_with_span, encode
from trio_torrent.bitfield import Bitfield
from trio_torrent.errors import BencodeError, MetainfoError

from .fields import Fields, Notes
from .files import File, FileLayout
from .geometry import Geometry
from .info import Info, read_collections, read_info, read_similar
from .infohash import V1_LENGTH, InfoHashes, Version
from .magnet import Magnet
from .merkle import Data
from .trees import Trees
from .urls import read_nodes, read_trackers, read_urls
from .verify import Layers, has_layer, matches_tree, missing_layers, read_piece_layers

MAX_TORRENT_SIZE = 10 << 20  # bytes; libtorrent's limit
MAX_DEPTH = 100  # libtorrent's limit; a file tree of v2 has a dictionary for each folder


@attrs.frozen
class Metainfo:
    """A torrent: its info dictionary, where to find peers, and remarks. Read it by `from_bytes` or `from_info`."""

    info: Info
    info_bytes: bytes = attrs.field(repr=False)  # the info dictionary as it was found: what peers ask for (BEP 9)
    piece_layers: Layers = attrs.field(factory=dict, hash=False, repr=False)  # v2: file's root -> its pieces' digests
    trackers: tuple[tuple[str, ...], ...] = ()  # tiers (BEP 12)
    web_seeds: tuple[str, ...] = ()  # BEP 19
    http_seeds: tuple[str, ...] = ()  # BEP 17
    nodes: tuple[Address, ...] = ()  # DHT (BEP 5)
    similar: tuple[bytes, ...] = ()  # info-hashes of torrents with files in common (BEP 38)
    collections: tuple[str, ...] = ()  # to which it belongs (BEP 38)
    comment: str = ""
    created_by: str = ""
    creation_date: int | None = None  # seconds since 1970
    warnings: tuple[str, ...] = ()  # what was wrong but tolerated
    _head: bytes = attrs.field(default=b"", repr=False)  # what the file has before its info dictionary
    _tail: bytes = attrs.field(default=b"", repr=False)  # and after it

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, max_size: int = MAX_TORRENT_SIZE) -> Self:
        """Read a .torrent file, at most `max_size` bytes. Raises MetainfoError naming the field, and nothing else."""
        if len(data) > max_size:
            raise MetainfoError(f"a torrent of {len(data)} bytes, more than {max_size}")
        data = bytes(data)
        notes = Notes()
        try:
            values, span = decode_with_span(data, b"info", max_depth=MAX_DEPTH, allow_trailing=True)
        except BencodeError as error:
            raise MetainfoError(f"not a torrent: {error}") from error
        if not isinstance(values, dict):
            raise MetainfoError("not a torrent: not a dictionary")
        if span is None:
            raise MetainfoError("info is missing")
        raw = data[span]
        return cls._read(Fields(values, "", notes), raw, data[: span.start], data[span.stop :])

    @classmethod
    def from_info(
        cls, info_bytes: bytes, trackers: Iterable[Iterable[str]] = (), web_seeds: Iterable[str] = ()
    ) -> Self:
        """A torrent of an info dictionary alone, as peers send it (BEP 9), and tiers of trackers, and web seeds.

        Raises MetainfoError. Whether the bytes are the right ones is for the caller: `InfoHashes.matches`.
        """
        try:
            values: dict[bytes, Value] = {b"info": decode(info_bytes, max_depth=MAX_DEPTH)}
        except BencodeError as error:
            raise MetainfoError(f"info is not readable: {error}") from error
        tiers: list[Value] = [[url.encode() for url in tier] for tier in trackers]
        if tiers:
            values[b"announce-list"] = tiers
        if urls := [url.encode() for url in web_seeds]:
            values[b"url-list"] = [*urls]
        return cls._read(Fields(values, "", Notes()), info_bytes, *_around_info(values))

    @classmethod
    def _read(cls, fields: Fields, raw: bytes, head: bytes, tail: bytes) -> Self:
        info = read_info(fields.values[b"info"], raw, fields.notes)
        v2 = info.info_hashes.v2 is not None
        return cls(
            info=info,
            info_bytes=raw,
            piece_layers=read_piece_layers(fields, info.layout, info.geometry.piece_length) if v2 else {},
            trackers=read_trackers(fields),
            web_seeds=read_urls(fields, b"url-list"),
            http_seeds=read_urls(fields, b"httpseeds"),
            nodes=read_nodes(fields),
            comment=fields.text(b"comment"),
            created_by=fields.text(b"created by"),
            creation_date=fields.integer(b"creation date"),
            similar=(*info.similar, *read_similar(fields)),
            collections=(*info.collections, *read_collections(fields)),
            warnings=fields.notes.texts(),
            head=head,
            tail=tail,
        )

    def with_piece_layers(self, layers: Layers) -> Self:
        """The same torrent with layers that were missing, as peers give them (BEP 52). Raises MetainfoError."""
        values = decode(self.to_bytes(), max_depth=MAX_DEPTH, allow_trailing=True)
        assert isinstance(values, dict)  # it was read before
        values[b"piece layers"] = {**self.piece_layers, **layers}
        return self._read(Fields(values, "", Notes()), self.info_bytes, *_around_info(values))

    def to_bytes(self) -> bytes:
        """The .torrent file, byte for byte as it was read."""
        return b"".join((self._head, self.info_bytes, self._tail))

    @property
    def name(self) -> str:
        """What it calls itself, safe as a file's name."""
        return self.info.name

    @property
    def info_hashes(self) -> InfoHashes:
        """By which it is known."""
        return self.info.info_hashes

    @property
    def geometry(self) -> Geometry:
        """The sizes of its pieces."""
        return self.info.geometry

    @property
    def layout(self) -> FileLayout:
        """Where the bytes of its pieces are in its files."""
        return self.info.layout

    @property
    def files(self) -> tuple[File, ...]:
        """Its files in order, padding included."""
        return self.info.layout.files

    @property
    def private(self) -> bool:
        """Peers come from its trackers only (BEP 27)."""
        return self.info.private

    @property
    def source(self) -> str:
        """The tracker it was made for, in words."""
        return self.info.source

    @property
    def has_v1(self) -> bool:
        """It has SHA-1 piece hashes."""
        return self.info_hashes.v1 is not None

    @property
    def has_v2(self) -> bool:
        """It has SHA-256 trees (BEP 52)."""
        return self.info_hashes.v2 is not None

    @property
    def version(self) -> Version:
        """`1`, `2` or `hybrid`."""
        return self.info_hashes.version

    @property
    def missing_layers(self) -> tuple[int, ...]:
        """Numbers of the files whose pieces v2 cannot verify yet: peers must give their layers (BEP 52)."""
        return missing_layers(self.layout, self.geometry.piece_length, self.piece_layers)

    @property
    def unverifiable(self) -> Bitfield:
        """The pieces that nothing can be compared with yet: in pure v2, those of the files whose layers are missing."""
        length = self.geometry.piece_length
        numbers = () if self.has_v1 else self.missing_layers
        pieces = (piece for number in numbers for piece in self.layout.pieces_of(number, length))
        return Bitfield(self.geometry.pieces, pieces)

    @property
    def trees(self) -> Trees:
        """The shapes of its files' hash trees; made anew each time."""
        return Trees(self.layout, self.geometry)

    @property
    def magnet(self) -> Magnet:
        """The link to it."""
        trackers = tuple([url for tier in self.trackers for url in tier])
        return Magnet(self.info_hashes, self.name, trackers, self.web_seeds)

    def piece_hash(self, piece: int) -> bytes:
        """The SHA-1 of a piece; empty without v1."""
        return self.info.v1_hashes[piece * V1_LENGTH : (piece + 1) * V1_LENGTH]

    def piece_matches(self, piece: int, data: Data) -> bool:
        """Whether these are the bytes of the piece, padding included: by SHA-1, by hash tree, or by both (hybrid).

        ValueError in a pure v2 torrent where the layer of the piece's file is missing.
        """
        if len(data) != self.geometry.piece_size(piece):
            return False
        if self.has_v1 and sha1(data).digest() != self.piece_hash(piece):
            return False
        if not self.has_v2:
            return True
        start = self.geometry.piece_start(piece)
        file = self.layout.file_at(start)
        if self.has_v1 and (file.padding or not has_layer(file, self.geometry.piece_length, self.piece_layers)):
            return True
        return matches_tree(file, start - file.offset, self.geometry.piece_length, self.piece_layers, data)


def _around_info(values: dict[bytes, Value]) -> tuple[bytes, bytes]:
    """What a canonical file has before and after its info dictionary."""
    before: Value = {key: value for key, value in values.items() if key < b"info"}
    after: Value = {key: value for key, value in values.items() if key > b"info"}
    return encode(before)[:-1] + b"4:info", encode(after)[1:]
