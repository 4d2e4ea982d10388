"""Names from a torrent, made safe to create on disk and to show on a terminal.

A torrent may call its files anything, `../../.bashrc` included. Every component is cleaned on its own, by
libtorrent's rules, so that both clients find the same files. Then files that would meet are told apart. What is left
cannot name anything but something below the save path.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator

Path = tuple[str, ...]

WINDOWS = bool(sys.platform == "win32")

CUT_AFTER = 240  # bytes of a name; file systems take 255, and ".part" or a number may yet be added
MAX_EXTENSION = 9  # bytes, dot included, that are kept of a longer name

# Separators, NUL, and the marks that turn the direction of writing (they make "exe.avi" of "iva.exe"): taken out.
_REMOVED = re.compile("[/\\\\\x00\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Control characters move a terminal's cursor.
_REPLACED = re.compile("[\x01-\x1f\x7f-\x9f]")
# What the first byte promises to be one character, whole or not: how libtorrent goes on after what is no UTF-8.
_SEQUENCE = re.compile(rb"[\0-\x7f]+|[\xc0-\xdf].?|[\xe0-\xef].{0,2}|[\xf0-\xf7].{0,3}|[\xf8-\xfb].{0,4}|.", re.DOTALL)
_WINDOWS_REPLACED = re.compile('[<>:"|?*]')
_WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|clock\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")


def safe_component(raw: bytes, *, windows: bool = WINDOWS) -> str:
    """One name that is safe in any folder; `_` where nothing is left of it, as of `..` or `/`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "".join(map(_decoded, _SEQUENCE.findall(raw)))
    if not text.isprintable() or "/" in text or "\\" in text:  # all that is replaced or removed is not printable
        text = _REPLACED.sub("_", _REMOVED.sub("", text))
    if len(text) > CUT_AFTER // 4:  # a character has up to 4 bytes
        text = _cut(text)
    if windows:
        text = _for_windows(text)
    return "_" if text in ("", ".", "..") else text


def _decoded(sequence: bytes) -> str:
    try:
        return sequence.decode()
    except UnicodeDecodeError:
        return "_"


class SafeNames(dict[bytes, str]):
    """Names made safe, remembered: a torrent names the same folders over and over."""

    def __missing__(self, raw: bytes) -> str:
        if not isinstance(raw, bytes):
            raise TypeError(f"{raw!r:.40} is not a name")
        name = self[raw] = safe_component(raw)
        return name

    def path(self, raw: Iterable[bytes]) -> Path:
        """Each component made safe."""
        return tuple([self[component] for component in raw])


def _for_windows(text: str) -> str:
    """Without what Windows forbids: some characters, dots and blanks at the end, the names of devices."""
    text = _WINDOWS_REPLACED.sub("_", text).rstrip(". ")
    return f"_{text}" if _WINDOWS_DEVICE.fullmatch(text) else text


def _cut(text: str) -> str:
    """The text, cut after the character that makes it CUT_AFTER bytes long; a short extension is kept."""
    encoded = text.encode()
    end = CUT_AFTER
    while end < len(encoded) and encoded[end] & 0xC0 == 0x80:  # within a character
        end += 1
    dot = encoded.rfind(b".", max(end, len(encoded) - MAX_EXTENSION))
    return (encoded[:end] + (encoded[dot:] if dot > 0 else b"")).decode()


def distinct(paths: list[Path]) -> list[Path]:
    """The paths, with files renamed (`name.1.txt`) that would meet another file or a folder.

    Case and Unicode form are disregarded, as some file systems do. The first of two files keeps its name.
    """
    folders = {_folded(folder) for folder in _folders(paths)}
    files = {_folded(path) for path in paths}
    if len(files) == len(paths) and files.isdisjoint(folders):
        return paths
    taken = folders
    numbers: dict[str, int] = {}  # where to go on counting, so that a million twins are not quadratic
    found = []
    for path in paths:
        key = _folded(path)
        if key in taken:
            path, numbers[key] = _numbered(path, numbers.get(key, 1), taken)
            key = _folded(path)
        taken.add(key)
        found.append(path)
    return found


def _folders(paths: list[Path]) -> Iterator[Path]:
    """Every folder that a path leads through."""
    for folder in {path[:-1] for path in paths}:
        for depth in range(1, len(folder) + 1):
            yield folder[:depth]


def _numbered(path: Path, number: int, taken: set[str]) -> tuple[Path, int]:
    """The path with the first number from `number` that is free, and the number after it."""
    stem, dot, extension = path[-1].rpartition(".")
    if not dot:
        stem, extension = extension, ""
    stem = stem.encode()[:CUT_AFTER].decode(errors="ignore")
    while True:
        renamed = (*path[:-1], f"{stem}.{number}{dot}{extension}")
        number += 1
        if _folded(renamed) not in taken:
            return renamed, number


def _folded(path: Path) -> str:
    """The same for all that a file system which disregards case and Unicode form takes for the same path."""
    text = "/".join(path)
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
