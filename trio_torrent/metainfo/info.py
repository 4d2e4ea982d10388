"""The info dictionary: what a torrent *is*, and what its info-hash is taken over (BEP 3, BEP 47, BEP 52)."""

from __future__ import annotations

import hashlib

import attrs

from trio_torrent.bencode import Value, encode
from trio_torrent.errors import MetainfoError

from .fields import Fields, Notes
from .file_list import read_file_list
from .file_tree import read_file_tree
from .files import File, FileLayout, padding_of
from .geometry import BLOCK_SIZE, MAX_PIECE_LENGTH, MAX_PIECES, Geometry
from .infohash import V1_LENGTH, V2_LENGTH, InfoHashes
from .links import without_dangling
from .paths import distinct, safe_component

MAX_RELATED = 100  # similar torrents, and collections, that are kept


@attrs.frozen
class Info:
    """What the info dictionary says, checked."""

    name: str
    info_hashes: InfoHashes
    geometry: Geometry
    layout: FileLayout = attrs.field(repr=False)
    v1_hashes: bytes = attrs.field(repr=False)  # SHA-1 digests end to end; empty without v1
    private: bool
    source: str
    similar: tuple[bytes, ...]  # info-hashes of torrents with files in common (BEP 38)
    collections: tuple[str, ...]  # to which it belongs (BEP 38)
    raw_name: bytes  # what it calls itself


def read_info(values: Value, raw: bytes, notes: Notes) -> Info:
    """Check a decoded info dictionary; `raw` is its bytes. Raises MetainfoError."""
    if not isinstance(values, dict):
        raise MetainfoError("info is not a dictionary")
    info = Fields(values, "info", notes)
    hashes = _hashes(info, raw)
    piece_length = _read_piece_length(info, v2=hashes.v2 is not None)
    name = _read_name(info, hashes)
    files = _read_files(info, name, hashes, piece_length)
    geometry = _geometry(piece_length, files, hashes)
    return Info(
        name=name,
        info_hashes=hashes,
        geometry=geometry,
        layout=FileLayout(without_dangling(_told_apart(files, notes), notes)),
        v1_hashes=_read_pieces(info, geometry) if hashes.v1 else b"",
        private=_read_private(info),
        source=info.text(b"source"),
        similar=read_similar(info),
        collections=read_collections(info),
        raw_name=_read_raw_name(info),
    )


def _hashes(info: Fields, raw: bytes) -> InfoHashes:
    """Which versions it is of, found out first (BEP 52, "meta version"), and its hashes."""
    version = info.values.get(b"meta version", 1)
    if not isinstance(version, int) or version > 2:
        raise MetainfoError(f"info.meta version is {version!r:.40}: only 1 and 2 are known")
    if version < 2:
        if b"file tree" in info.values:
            raise MetainfoError("info.meta version is not 2, but there is an info.file tree")
        return InfoHashes(v1=hashlib.sha1(raw).digest())
    if encode(info.values) != raw:  # the order of the keys is the order of the files, so readers must not differ
        raise MetainfoError("info is not in canonical form, as v2 demands")
    hybrid = b"files" in info.values or b"length" in info.values
    return InfoHashes(hashlib.sha1(raw).digest() if hybrid else None, hashlib.sha256(raw).digest())


def _read_piece_length(info: Fields, *, v2: bool) -> int:
    length = info.require_int(b"piece length", 1, MAX_PIECE_LENGTH)
    if v2 and (length < BLOCK_SIZE or length & (length - 1)):
        raise MetainfoError(f"info.piece length is {length}: v2 demands a power of two from {BLOCK_SIZE}")
    return length


def _read_name(info: Fields, hashes: InfoHashes) -> str:
    """What its file or folder is called. A folder with an unusable name is called by its info-hash."""
    raw = _read_raw_name(info)
    name = safe_component(raw)
    if name.encode() == raw:
        return name
    if name == "_":
        if b"files" not in info.values and b"file tree" not in info.values:
            raise MetainfoError(f"info.name is {raw!r:.40}, which cannot be a file's name")
        name = hashes.wire.hex()
    info.notes.add(f"info.name is not safe as a file's name: it is {name!r} here")
    return name


def _read_raw_name(info: Fields) -> bytes:
    raw = info.values.get(b"name.utf-8")
    return raw if isinstance(raw, bytes) else info.require_bytes(b"name")


def _read_files(info: Fields, name: str, hashes: InfoHashes, piece_length: int) -> list[File]:
    v1 = read_file_list(info, name) if hashes.v1 else []
    if not hashes.v2:
        return v1
    v2 = read_file_tree(info, name, rooted=b"files" in info.values)
    return _joined(v1, v2, piece_length) if hashes.v1 else v2


def _joined(v1: list[File], v2: list[File], piece_length: int) -> list[File]:
    """The files of a hybrid: v2's, at the offsets and among the padding of v1. They must tell of the same files."""
    joined = []
    tree = iter(v2)
    for file in v1:
        if not file.padding:
            twin = next(tree, None)
            if twin is None or (twin.path, twin.length, twin.symlink) != (file.path, file.length, file.symlink):
                raise MetainfoError(f"info.files and info.file tree differ at {'/'.join(file.path)!r}")
            if file.length and file.offset % piece_length:
                raise MetainfoError(f"info.files has {'/'.join(file.path)!r} not at the start of a piece")
            file = twin.moved_to(file.offset)
        joined.append(file)
    if next(tree, None):
        raise MetainfoError("info.file tree has more files than info.files")
    return joined


def _geometry(piece_length: int, files: list[File], hashes: InfoHashes) -> Geometry:
    if hashes.v1:
        geometry = Geometry.contiguous(piece_length, files[-1].end, padding=padding_of(files))
    else:
        geometry = Geometry.aligned(piece_length, [file.length for file in files])
    if not geometry.span:
        raise MetainfoError("info has no bytes to share: all files are empty")
    if geometry.pieces > MAX_PIECES:
        raise MetainfoError(f"info has {geometry.pieces} pieces, more than {MAX_PIECES}")
    return geometry


def _told_apart(files: list[File], notes: Notes) -> list[File]:
    """Rename files that would meet on disk. Padding is never there."""
    real = [number for number, file in enumerate(files) if not file.padding]
    for number, path in zip(real, distinct([files[number].path for number in real]), strict=True):
        if path is not files[number].path:
            notes.add(f"{'/'.join(files[number].path)!r} is there twice, or a folder too: {path[-1]!r} here")
            files[number] = attrs.evolve(files[number], path=path)
    return files


def _read_pieces(info: Fields, geometry: Geometry) -> bytes:
    pieces = info.require_bytes(b"pieces")
    needed = geometry.pieces * V1_LENGTH
    if len(pieces) != needed:
        raise MetainfoError(f"info.pieces has {len(pieces)} bytes; {geometry.pieces} pieces need {needed}")
    return pieces


def _read_private(info: Fields) -> bool:
    """BEP 27. Whoever writes anything but 0 means to keep the torrent from the DHT, so that is what it gets."""
    private = info.values.get(b"private", 0)
    if private not in (0, 1):
        info.notes.add("info.private is neither 0 nor 1: taken as 1")
    return private not in (0, b"", b"0")


def read_similar(fields: Fields) -> tuple[bytes, ...]:
    """Info-hashes of similar torrents (BEP 38)."""
    hashes = [item for item in fields.items(b"similar") if isinstance(item, bytes)]
    return tuple([item for item in hashes if len(item) in (V1_LENGTH, V2_LENGTH)][:MAX_RELATED])


def read_collections(fields: Fields) -> tuple[str, ...]:
    """Names of collections (BEP 38)."""
    names = [item.decode(errors="replace") for item in fields.items(b"collections") if isinstance(item, bytes)]
    return tuple(names[:MAX_RELATED])
