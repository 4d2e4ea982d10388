"""The files of a v2 info dictionary (BEP 52 `file tree`)."""

from __future__ import annotations

from collections.abc import Iterator

from trio_torrent.bencode import Value
from trio_torrent.errors import MetainfoError

from .fields import Fields, fields_of
from .file_list import MAX_LENGTH, read_attributes, read_target
from .files import File
from .merkle import DIGEST
from .paths import Path, SafeNames

NO_DIGEST = bytes(DIGEST)  # what stands for a block past the end of a file; no file has it for its root

Leaf = tuple[tuple[bytes, ...], Value]  # a file's path and what the tree says of it


def read_file_tree(info: Fields, name: str, *, rooted: bool) -> list[File]:
    """The files in the order of the tree, each on a piece boundary. Raises MetainfoError.

    A tree of one file is that file, with no folder around it, unless `rooted`: a hybrid whose v1 half has a folder.
    """
    tree = info.require_dict(b"file tree").values
    root: Path = () if _is_one_file(tree) and not rooted else (name,)
    piece_length = info.require_int(b"piece length", 1, MAX_LENGTH)
    names = SafeNames()
    files = []
    offset = 0
    for raw, entry in _leaves(tree, ()):
        file = _plain_file(entry, root, raw, offset, names)
        if file is None:
            file = _read_file(fields_of(entry, _where(raw), info.notes), root, raw, offset, names)
        files.append(file)
        offset = -(-file.end // piece_length) * piece_length
    if not files:
        raise MetainfoError("info.file tree has no files")
    if offset > MAX_LENGTH:
        raise MetainfoError(f"info.file tree adds up to {offset} bytes, more than {MAX_LENGTH}")
    return files


def _is_one_file(tree: dict[bytes, Value]) -> bool:
    nodes = list(tree.values())
    return len(nodes) == 1 and isinstance(nodes[0], dict) and b"" in nodes[0]


def _where(path: tuple[bytes, ...]) -> str:
    """A node's name in a message."""
    return f"info.file tree {b'/'.join(path).decode(errors='replace')!r}" if path else "info.file tree"


def _leaves(tree: dict[bytes, Value], above: tuple[bytes, ...]) -> Iterator[Leaf]:
    """Each file, depth first. The keys are sorted, and not nested too deep: that has been checked."""
    for name, node in tree.items():
        path = (*above, name)
        if not isinstance(node, dict):
            raise MetainfoError(f"{_where(path)} is not a dictionary")
        if not name:
            raise MetainfoError(f"{_where(above)} has an entry without a name")
        if b"" not in node:
            yield from _leaves(node, path)
        elif len(node) == 1:
            yield path, node[b""]
        else:
            raise MetainfoError(f"{_where(path)} is a file and a folder at once")


def _plain_file(entry: Value, root: Path, raw: tuple[bytes, ...], offset: int, names: SafeNames) -> File | None:
    """The usual entry, read fast: a length, a root, and nothing else. None for any other."""
    if type(entry) is not dict or len(entry) != 2:
        return None
    length, pieces_root = entry.get(b"length"), entry.get(b"pieces root")
    if type(length) is not int or type(pieces_root) is not bytes or len(pieces_root) != DIGEST:
        return None
    if not 0 < length <= MAX_LENGTH or pieces_root == NO_DIGEST:
        return None
    path = (*root, *[names[component] for component in raw])
    return File(path, length, offset, pieces_root=pieces_root, raw_path=raw)


def _read_file(entry: Fields, root: Path, raw: tuple[bytes, ...], offset: int, names: SafeNames) -> File:
    """Any entry. Raises MetainfoError."""
    path = (*root, *names.path(raw))
    attr = read_attributes(entry)
    if b"p" in attr:
        raise MetainfoError(f"{entry.where} is padding, which v2 has no use for")
    if b"l" in attr:
        return File(path, 0, offset, symlink=read_target(entry, root, names), raw_path=raw)
    length = entry.require_int(b"length", 0, MAX_LENGTH)
    pieces_root = entry.require_bytes(b"pieces root") if length else None
    if pieces_root is not None and (len(pieces_root) != DIGEST or pieces_root == NO_DIGEST):
        raise MetainfoError(f"{entry.name(b'pieces root')} is not a SHA-256 digest")
    return File(path, length, offset, False, b"x" in attr, b"h" in attr, None, pieces_root, raw)
