"""Payloads and their torrents, made on the spot."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from pathlib import Path
from random import Random

from trio_torrent.bencode import Value, encode
from trio_torrent.client.metainfo import Metainfo


def random_bytes(size: int, seed: int = 1) -> bytes:
    """The same bytes for the same seed."""
    return Random(seed).randbytes(size)


def single(data: bytes, *, piece_length: int = 32768, name: str = "payload.bin", announce: str = "") -> Metainfo:
    """The torrent of one file."""
    return _torrent({b"length": len(data)}, data, piece_length, name, announce)


def multi(
    files: Mapping[str, bytes], *, piece_length: int = 32768, name: str = "folder", announce: str = ""
) -> Metainfo:
    """The torrent of a folder, its files in the order given."""
    entries: list[Value] = [
        {b"length": len(data), b"path": [part.encode() for part in path.split("/")]} for path, data in files.items()
    ]
    return _torrent({b"files": entries}, b"".join(files.values()), piece_length, name, announce)


def _torrent(info: dict[bytes, Value], data: bytes, piece_length: int, name: str, announce: str) -> Metainfo:
    hashes = [sha1(data[at : at + piece_length]).digest() for at in range(0, len(data), piece_length)]
    info |= {b"name": name.encode(), b"piece length": piece_length, b"pieces": b"".join(hashes)}
    whole: dict[bytes, Value] = {b"info": info}
    if announce:
        whole[b"announce"] = announce.encode()
    return Metainfo.from_bytes(encode(whole))


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Put the files there; the folder."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder
