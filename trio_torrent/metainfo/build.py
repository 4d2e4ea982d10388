"""Making a torrent, but for the reading: what to hash (`Draft`), and the bytes once the hashes are known.

The layout is libtorrent's, so that the same files give the same info-hash: files sorted by the bytes of their paths,
and in a hybrid a padding file after each that does not end with a piece (BEP 47, BEP 52 "upgrade path").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from trio_torrent.address import Address
from trio_torrent.bencode import Value, encode
from trio_torrent.errors import MetainfoError

from .files import File, FileLayout, padding_of
from .geometry import BLOCK_SIZE, MAX_PIECE_LENGTH, MAX_PIECES, Geometry
from .infohash import V1_LENGTH, Version
from .merkle import DIGEST, file_root
from .paths import Path, safe_component

__all__ = ["Draft", "Entry", "Version", "choose_piece_length", "draft"]

TARGET_PIECES = 2048  # some 40 KiB of SHA-1 digests: a .torrent that is small, and pieces that are
USUAL_PIECE_LENGTH = 16 << 20  # bytes; beyond it pieces grow only to stay below MAX_PIECES


@attrs.frozen
class Entry:
    """A file to be in a torrent."""

    path: Path  # below the torrent's own folder; () where the torrent is this one file
    length: int = attrs.field(default=0)  # bytes
    executable: bool = False
    hidden: bool = False
    symlink: Path = ()  # where it leads, below the torrent's own folder (BEP 47); its length is 0

    @length.validator
    def _check_length(self, _: attrs.Attribute[Any], length: int) -> None:
        if length < 0 or (self.symlink and length):
            raise ValueError(f"a length of {length} for {'/'.join(self.path)!r}")


@attrs.frozen
class Draft:
    """A torrent without its hashes: `layout` and `geometry` say what to hash, `to_bytes` takes the digests."""

    name: str
    version: Version
    layout: FileLayout  # the same as of the finished torrent, padding included
    geometry: Geometry

    def to_bytes(
        self,
        *,
        v1_hashes: bytes = b"",
        v2_layers: Mapping[int, bytes] | None = None,
        private: bool = False,
        source: str = "",
        trackers: Sequence[Sequence[str]] = (),
        web_seeds: Sequence[str] = (),
        http_seeds: Sequence[str] = (),
        nodes: Sequence[Address] = (),
        comment: str = "",
        created_by: str = "",
        creation_date: int | None = None,
    ) -> bytes:
        """The .torrent file.

        `v1_hashes` are the SHA-1 of each piece end to end, padding as zeros. `v2_layers` has for each file that is
        not empty, by its number in the layout, `merkle.piece_node` of each of its pieces end to end. ValueError where
        they are not as many as there are pieces.
        """
        layers = dict(self._checked_layers(v2_layers or {}))
        info = self._info(v1_hashes, layers)
        info |= _present({b"private": int(private), b"source": source.encode()})
        announce = _tiers(trackers)
        values: dict[bytes, Value] = _present(
            {
                b"announce": announce[0][0] if announce else b"",
                b"announce-list": [*announce] if sum(map(len, announce)) > 1 else [],
                b"url-list": [url.encode() for url in web_seeds],
                b"httpseeds": [url.encode() for url in http_seeds],
                b"nodes": [[node.host.encode(), node.port] for node in nodes],
                b"comment": comment.encode(),
                b"created by": created_by.encode(),
            }
        )
        if creation_date is not None:
            values[b"creation date"] = creation_date
        if self.version != "1":
            values[b"piece layers"] = {root: layer for root, layer in layers.values() if len(layer) > DIGEST}
        return encode({**values, b"info": info})

    def _checked_layers(self, layers: Mapping[int, bytes]) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
        """Each file's root and layer."""
        if self.version == "1":
            return
        piece_length = self.geometry.piece_length
        for number, file in enumerate(self.layout.files):
            if file.length and not file.padding:
                layer = layers.get(number, b"")
                if len(layer) != -(-file.length // piece_length) * DIGEST:
                    raise ValueError(f"{len(layer)} bytes of digests for {'/'.join(file.path)!r}")
                yield number, (file_root(layer, piece_length), layer)

    def _info(self, v1_hashes: bytes, layers: dict[int, tuple[bytes, bytes]]) -> dict[bytes, Value]:
        info: dict[bytes, Value] = {b"name": self.name.encode(), b"piece length": self.geometry.piece_length}
        if self.version != "2":
            if len(v1_hashes) != self.geometry.pieces * V1_LENGTH:
                raise ValueError(f"{len(v1_hashes)} bytes of SHA-1 for {self.geometry.pieces} pieces")
            info |= {b"pieces": v1_hashes, **self._v1_files()}
        if self.version != "1":
            info |= {b"meta version": 2, b"file tree": self._file_tree(layers)}
        return info

    def _v1_files(self) -> dict[bytes, Value]:
        only = self.layout.files[0]
        if len(only.path) == 1:
            return {b"length": only.length, **_attributes(only)}
        return {b"files": [_v1_file(file) for file in self.layout.files]}

    def _file_tree(self, layers: dict[int, tuple[bytes, bytes]]) -> Value:
        tree: dict[bytes, Value] = {}
        for number, file in enumerate(self.layout.files):
            if file.padding:
                continue
            folder = tree
            for name in file.raw_path:
                folder = folder.setdefault(name, {})  # type: ignore[assignment]  # nothing but folders so far
            folder[b""] = _v2_file(file, layers[number][0] if number in layers else b"")
        return tree


def draft(
    name: str, entries: Iterable[Entry], *, version: Version = "hybrid", piece_length: int | None = None
) -> Draft:
    """Lay out a torrent of these files. `piece_length` is bytes: a power of two from 16 KiB, or None to choose.

    MetainfoError where there is nothing to share, too much, or a name that no client would keep. ValueError for a
    piece length that is none.
    """
    entries = list(entries)
    _check_names(name, entries)
    entries.sort(key=lambda entry: [component.encode() for component in entry.path])
    size = sum(entry.length for entry in entries)
    piece_length = choose_piece_length(size) if piece_length is None else piece_length
    if not BLOCK_SIZE <= piece_length <= MAX_PIECE_LENGTH or piece_length & (piece_length - 1):
        raise ValueError(f"a piece length of {piece_length}: it is a power of two from {BLOCK_SIZE}")
    files = _lay_out(name, entries, version, piece_length)
    if version == "2":
        geometry = Geometry.aligned(piece_length, [file.length for file in files])
    else:
        geometry = Geometry.contiguous(piece_length, files[-1].end, padding=padding_of(files))
    if not size:
        raise MetainfoError(f"{name!r} has no bytes to share")
    if geometry.pieces > MAX_PIECES:
        raise MetainfoError(f"{name!r} has {geometry.pieces} pieces, more than {MAX_PIECES}: they must be longer")
    return Draft(name, version, FileLayout(files), geometry)


def choose_piece_length(size: int) -> int:
    """A power of two: the least that makes TARGET_PIECES of `size` bytes or fewer, within what is usual."""
    enough = max(-(-size // TARGET_PIECES), BLOCK_SIZE)
    longest = max(USUAL_PIECE_LENGTH, 1 << (-(-size // MAX_PIECES) - 1).bit_length())
    return min(1 << (enough - 1).bit_length(), longest)


def _check_names(name: str, entries: list[Entry]) -> None:
    for component in (name, *(component for entry in entries for component in (*entry.path, *entry.symlink))):
        # A name that the file system has as something other than UTF-8 comes as surrogates, which are not kept either.
        if safe_component(component.encode(errors="surrogatepass"), windows=False) != component:
            raise MetainfoError(f"{component!r} cannot be a name in a torrent: clients would change it")
    if not entries:
        raise MetainfoError(f"{name!r} has no files")
    paths = {entry.path for entry in entries}
    if len(paths) < len(entries) or (() in paths and len(paths) > 1):
        raise MetainfoError(f"{name!r} has two files of the same path")


def _lay_out(name: str, entries: list[Entry], version: Version, piece_length: int) -> list[File]:
    aligned, padded = version != "1", version == "hybrid" and len(entries) > 1
    # A v2 tree of one file reads as that file with no folder around it (BEP 52, "interpreting paths").
    root: Path = () if version == "2" and len(entries) == 1 and len(entries[0].path) == 1 else (name,)
    files = []
    offset = 0
    for entry in entries:
        raw = tuple([component.encode() for component in entry.path or (name,)])
        symlink = (*root, *entry.symlink) if entry.symlink else None
        path = (*root, *entry.path)
        file = File(path, entry.length, offset, False, entry.executable, entry.hidden, symlink, None, raw)
        files.append(file)
        offset = file.end
        gap = -offset % piece_length
        if gap and padded:
            files.append(File((name, ".pad", str(gap)), gap, offset, padding=True, raw_path=(b".pad", b"%d" % gap)))
        if aligned:
            offset += gap
    return files


def _v1_file(file: File) -> dict[bytes, Value]:
    return {b"length": file.length, b"path": [*file.raw_path], **_attributes(file)}


def _v2_file(file: File, root: bytes) -> dict[bytes, Value]:
    length: dict[bytes, Value] = {} if file.symlink else {b"length": file.length}
    return length | _present({b"pieces root": root}) | _attributes(file)


def _attributes(file: File) -> dict[bytes, Value]:
    """BEP 47, in libtorrent's order of letters."""
    flags = ((b"p", file.padding), (b"h", file.hidden), (b"x", file.executable), (b"l", file.symlink))
    attr = b"".join([letter for letter, present in flags if present])
    target: list[Value] = [component.encode() for component in (file.symlink or ())[1:]]
    return _present({b"attr": attr, b"symlink path": target})


def _present(fields: dict[bytes, Value]) -> dict[bytes, Value]:
    """Without what is 0 or empty, which no reader tells from what is missing."""
    return {key: value for key, value in fields.items() if value}


def _tiers(trackers: Sequence[Sequence[str]]) -> list[list[Value]]:
    return [[url.encode() for url in tier] for tier in trackers if tier]
