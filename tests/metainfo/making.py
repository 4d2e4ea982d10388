"""Torrents of our own making: from contents, with true hashes, and from bare fields, for what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from typing import Any

from trio_torrent.bencode import encode
from trio_torrent.metainfo.build import Draft, Entry, draft
from trio_torrent.metainfo.files import File
from trio_torrent.metainfo.infohash import Version
from trio_torrent.metainfo.merkle import piece_node

BLOCK = 16384

Contents = Mapping[tuple[str, ...], bytes]  # path below the torrent's folder, () for a torrent of one file


def make_torrent(
    name: str, contents: Contents, version: Version = "hybrid", piece_length: int = BLOCK, **fields
) -> bytes:
    """The .torrent of some contents."""
    entries = [Entry(path, len(data)) for path, data in contents.items()]
    return finish(draft(name, entries, version=version, piece_length=piece_length), contents, **fields)


def finish(plan: Draft, contents: Contents, **fields) -> bytes:
    """Hash what a draft asks for."""
    v1_hashes = b""
    if plan.version != "2":
        v1_hashes = b"".join(sha1(piece_of(plan, contents, n)).digest() for n in range(plan.geometry.pieces))
    layers = {}
    for number, file in enumerate(plan.layout.files):
        if file.length and not file.padding:
            data, size = content_of(plan, contents, file), plan.geometry.piece_length
            layers[number] = b"".join(
                piece_node(data[at : at + size], size, len(data)) for at in range(0, len(data), size)
            )
    return plan.to_bytes(v1_hashes=v1_hashes, v2_layers=layers, **fields)


def content_of(plan: Draft, contents: Contents, file: File) -> bytes:
    if file.padding:
        return bytes(file.length)
    return contents[tuple(name.decode() for name in file.raw_path)] if () not in contents else contents[()]


def piece_of(plan: Draft, contents: Contents, piece: int) -> bytes:
    """The bytes of a piece, as its slices say."""
    start, size = plan.geometry.piece_start(piece), plan.geometry.piece_size(piece)
    return b"".join(
        content_of(plan, contents, plan.layout.files[part.file])[part.offset : part.offset + part.length]
        for part in plan.layout.slices(start, size)
    )


Fields = dict[bytes, Any]  # Any, because half of what is made here is of a wrong type

_HYPHENS = {"url_list": b"url-list", "announce_list": b"announce-list"}


def torrent(info: Any, **fields: Any) -> bytes:
    """A .torrent around an info dictionary; `url_list` stands for `url-list`, `created_by` for `created by`."""
    return encode({b"info": info, **_named(fields)})


def one_file(length: Any = 100, pieces: int = 1, **fields: Any) -> Fields:
    """A v1 info dictionary of one file. A field that is None is left out."""
    info: Fields = {b"name": b"name", b"piece length": BLOCK, b"length": length, b"pieces": b"h" * 20 * pieces}
    return _present(info | _named(fields))


def many_files(*files: Any, pieces: int = 1, **fields: Any) -> Fields:
    """A v1 info dictionary of some files."""
    return one_file(length=None, pieces=pieces, files=[*files], **fields)


def entry(*path: bytes, length: Any = 10, **fields: Any) -> Fields:
    """A file of a v1 list."""
    return {b"path": [*path], b"length": length, **_named(fields)}


def tree_info(tree: Any, **fields: Any) -> Fields:
    """A v2 info dictionary. A field that is None is left out."""
    info: Fields = {b"name": b"name", b"piece length": BLOCK, b"meta version": 2, b"file tree": tree}
    return _present(info | _named(fields))


def leaf(length: Any = 10, root: bytes | None = b"r" * 32, **fields: Any) -> Fields:
    """A file of a v2 tree."""
    return {b"": _present({b"length": length, b"pieces root": root, **_named(fields)})}


def _named(fields: Mapping[str, Any]) -> Fields:
    return {_HYPHENS.get(name, name.replace("_", " ").encode()): value for name, value in fields.items()}


def _present(fields: Fields) -> Fields:
    return {key: value for key, value in fields.items() if value is not None}
