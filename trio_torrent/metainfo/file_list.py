"""The files of a v1 info dictionary (BEP 3 `files` or `length`; BEP 47 attributes)."""

from __future__ import annotations

from trio_torrent.bencode import Value
from trio_torrent.errors import MetainfoError

from .fields import Fields, fields_of
from .files import File
from .paths import Path, SafeNames

MAX_LENGTH = (1 << 48) - 1  # bytes, of a file and of a torrent; libtorrent's limit
MAX_DIRECTORY_DEPTH = 100  # libtorrent's limit

BITCOMET_PADDING = b"_____padding_file_"  # its name for padding, from before BEP 47


def read_file_list(info: Fields, name: str) -> list[File]:
    """The files, at their offsets. Paths are safe but may still meet one another. Raises MetainfoError."""
    if b"files" not in info.values:
        return [_only_file(info, name)]
    entries = info.values[b"files"]
    if not isinstance(entries, list) or not entries:
        raise MetainfoError("info.files is not a list of files")
    names = SafeNames()
    files = []
    offset = 0
    for number, entry in enumerate(entries):
        file = _plain_file(entry, name, offset, names)
        if file is None:
            file = _read_file(fields_of(entry, f"info.files[{number}]", info.notes), name, offset, names)
        files.append(file)
        offset = file.end
    if offset > MAX_LENGTH:
        raise MetainfoError(f"info.files add up to {offset} bytes, more than {MAX_LENGTH}")
    return files


def read_attributes(entry: Fields) -> bytes:
    """The letters of BEP 47's `attr`: x executable, h hidden, p padding, l symbolic link."""
    attr = entry.values.get(b"attr", b"")
    if isinstance(attr, bytes):
        return attr
    entry.notes.add(f"{entry.name(b'attr')} is not a string: left out")
    return b""


def read_components(entry: Fields, key: bytes) -> tuple[bytes, ...]:
    """A list of names. Raises MetainfoError."""
    names = entry.values.get(key)
    if not isinstance(names, list) or not names:
        raise MetainfoError(f"{entry.name(key)} is not a list of names")
    if len(names) > MAX_DIRECTORY_DEPTH:
        raise MetainfoError(f"{entry.name(key)} has {len(names)} components, more than {MAX_DIRECTORY_DEPTH}")
    components = tuple([name for name in names if isinstance(name, bytes)])
    if len(components) < len(names):
        raise MetainfoError(f"{entry.name(key)} has a component that is not a string")
    return components


def read_target(entry: Fields, root: Path, names: SafeNames) -> Path | None:
    """Where a symbolic link leads; None if that is not said. Raises MetainfoError."""
    if b"symlink path" in entry.values:
        return (*root, *names.path(read_components(entry, b"symlink path")))
    entry.notes.add(f"{entry.where} is a symbolic link to nothing: left empty")
    return None


def _only_file(info: Fields, name: str) -> File:
    attr = read_attributes(info)
    length = info.require_int(b"length", 0, MAX_LENGTH)
    raw = info.values.get(b"name.utf-8", info.values.get(b"name"))
    raw_path = (raw,) if isinstance(raw, bytes) else ()
    return File((name,), length, 0, executable=b"x" in attr, hidden=b"h" in attr, raw_path=raw_path)


def _plain_file(entry: Value, name: str, offset: int, names: SafeNames) -> File | None:
    """The usual entry, read fast: a length, a path, perhaps attributes. None for what is more, or wrong."""
    if type(entry) is not dict or len(entry) != (3 if b"attr" in entry else 2):
        return None
    length, path, attr = entry.get(b"length"), entry.get(b"path"), entry.get(b"attr", b"")
    if type(length) is not int or type(path) is not list or type(attr) is not bytes:
        return None
    if not 0 <= length <= MAX_LENGTH or not 0 < len(path) <= MAX_DIRECTORY_DEPTH or b"l" in attr:
        return None
    raw: tuple[bytes, ...] = tuple(path)  # type: ignore[arg-type]  # SafeNames refuses what is not
    try:
        safe = (name, *[names[component] for component in raw])
    except TypeError:
        return None
    padding = b"p" in attr or raw[-1].startswith(BITCOMET_PADDING)
    return File(safe, length, offset, padding, b"x" in attr, b"h" in attr, None, None, raw)


def _read_file(entry: Fields, name: str, offset: int, names: SafeNames) -> File:
    """Any entry. Raises MetainfoError."""
    attr = read_attributes(entry)
    if b"p" in attr and b"path" not in entry.values:
        length = entry.require_int(b"length", 0, MAX_LENGTH)
        return File((name, ".pad", str(length)), length, offset, padding=True)
    raw = read_components(entry, b"path.utf-8" if isinstance(entry.values.get(b"path.utf-8"), list) else b"path")
    path = (name, *names.path(raw))
    if b"l" in attr:
        return File(path, 0, offset, symlink=read_target(entry, (name,), names), raw_path=raw)
    length = entry.require_int(b"length", 0, MAX_LENGTH)
    padding = b"p" in attr or raw[-1].startswith(BITCOMET_PADDING)
    return File(path, length, offset, padding, b"x" in attr, b"h" in attr, raw_path=raw)
