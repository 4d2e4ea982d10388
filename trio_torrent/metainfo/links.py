"""Symbolic links in a torrent (BEP 47): they may lead to its own files and folders, and nowhere else."""

from __future__ import annotations

from typing import TypeAlias, cast

import attrs

from .fields import Notes
from .files import File
from .paths import Path

MAX_HOPS = 8  # links on the way to a file; a macOS framework, the usual case, has two

Folder: TypeAlias = "dict[str, Node]"
Node: TypeAlias = "Folder | Path | None"  # a link is its target, a file is None


def without_dangling(files: list[File], notes: Notes) -> list[File]:
    """The files; links that lead to nothing in the torrent are empty files instead. No two paths may meet."""
    if not any(file.symlink for file in files):
        return files
    tree = _tree_of(files)
    for number, file in enumerate(files):
        if file.symlink and not _leads_somewhere(file.symlink, tree):
            notes.add(f"{'/'.join(file.path)!r} is a symbolic link to nothing in the torrent: left empty")
            files[number] = attrs.evolve(file, symlink=None)
    return files


def _tree_of(files: list[File]) -> Folder:
    tree: Folder = {}
    for file in files:
        if file.padding:
            continue
        folder = tree
        for name in file.path[:-1]:
            folder = cast(Folder, folder.setdefault(name, {}))  # paths do not meet, so it is no file
        folder[file.path[-1]] = file.symlink
    return tree


def _leads_somewhere(target: Path, tree: Folder) -> bool:
    """Whether there is a file or folder at the end, with other links on the way.

    One component at a time: a hundred thousand links through one another must not take minutes.
    """
    rest = [*reversed(target)]
    node: Node = tree
    hops = 0
    while rest:
        name = rest.pop()
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
        if isinstance(node, tuple):
            hops += 1
            if hops > MAX_HOPS:
                return False
            rest.extend(reversed(node))
            node = tree
    return True
