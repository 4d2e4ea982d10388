"""What is known of a torrent's data from one run to the next: which pieces are good, and how the files looked then.

As bytes it is bencode. What is read back is as untrusted as anything from outside: disks rot and people edit.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Self

import attrs

from trio_torrent.address import Address, pack, unpack_ipv4, unpack_ipv6
from trio_torrent.bencode import Value, decode, encode
from trio_torrent.bitfield import Bitfield
from trio_torrent.errors import BencodeError

from .look import Look

VERSION = 2
MAX_DEPTH = 4  # the record, its files, one of them
MAX_PEERS = 50  # as many as a torrent talks to


@attrs.frozen
class Record:
    """Paths of files are from the save path, with slashes. Files that were not there are not in `files`."""

    root: str  # the save path
    have: Bitfield  # verified, and in the files as long as the machine runs
    safe: Bitfield  # those that would survive a power cut
    run: str  # of the machine; empty if that is not known
    files: Mapping[str, Look] = attrs.field(repr=False)
    saved: int  # when, in nanoseconds since 1970
    running: bool  # more was going to be written
    renamed: Mapping[str, str] = attrs.field(factory=dict)  # the torrent's path: the path it has
    peers: tuple[Address, ...] = ()  # that took our connection
    downloaded: int = 0  # bytes of blocks, ever
    uploaded: int = 0

    def to_bytes(self) -> bytes:
        """For a file."""
        ipv4, ipv6 = pack([peer for peer in self.peers if _is_ip(peer.host)][:MAX_PEERS])
        files: dict[bytes, Value] = {p.encode(): [seen.size, seen.changed] for p, seen in sorted(self.files.items())}
        renamed: dict[bytes, Value] = {old.encode(): new.encode() for old, new in sorted(self.renamed.items())}
        return encode(
            {
                b"downloaded": self.downloaded,
                b"files": files,
                b"have": bytes(self.have),
                b"peers": ipv4,
                b"peers6": ipv6,
                b"renamed": renamed,
                b"root": os.fsencode(self.root),
                b"run": self.run.encode(),
                b"running": int(self.running),
                b"safe": bytes(self.safe),
                b"saved": self.saved,
                b"uploaded": self.uploaded,
                b"version": VERSION,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, pieces: int) -> Self:
        """Read one of a torrent of so many pieces. ValueError for anything else."""
        try:
            values = decode(data, max_depth=MAX_DEPTH)
        except BencodeError as error:
            raise ValueError(f"not readable: {error}") from error
        if not isinstance(values, dict) or values.get(b"version") != VERSION:
            raise ValueError("not a record of this version")
        peers = (*unpack_ipv4(_bytes(values, b"peers")), *unpack_ipv6(_bytes(values, b"peers6")))
        return cls(
            root=os.fsdecode(_bytes(values, b"root")),
            have=Bitfield.from_bytes(_bytes(values, b"have"), pieces),
            safe=Bitfield.from_bytes(_bytes(values, b"safe"), pieces),
            run=_text(_bytes(values, b"run")),
            files={path.decode(): _look(seen) for path, seen in _dict(values, b"files").items()},
            saved=_count(values, b"saved"),
            running=bool(_count(values, b"running")),
            renamed={old.decode(): _text(new) for old, new in _dict(values, b"renamed").items()},
            peers=peers[:MAX_PEERS],
            downloaded=_count(values, b"downloaded"),
            uploaded=_count(values, b"uploaded"),
        )


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bytes(values: dict[bytes, Value], key: bytes) -> bytes:
    value = values.get(key)
    if not isinstance(value, bytes):
        raise ValueError(f"{key.decode()} is not a string")
    return value


def _dict(values: dict[bytes, Value], key: bytes) -> dict[bytes, Value]:
    value = values.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key.decode()} is not a dictionary")
    return value


def _count(values: dict[bytes, Value], key: bytes) -> int:
    value = values.get(key)
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{key.decode()} is not a number from 0 up")
    return value


def _text(value: Value) -> str:
    if not isinstance(value, bytes):
        raise ValueError("a text is not a string")
    return value.decode()


def _look(value: Value) -> Look:
    match value:
        case [int() as size, int() as changed]:
            return Look(size, changed)
        case _:
            raise ValueError("a file's look is not a size and a time")
