"""Moving a torrent's files to another folder, giving one another name, and removing them.

Nobody else may use the files meanwhile. A move within a file system is a rename of each file. To another one it is a
copy: what was there stays until all of it is there, so whatever interrupts it, one of the two is whole. What is in the
way is an error, before anything is touched; and what others have put in the places of the torrent's files stays theirs.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from trio_torrent.errors import StorageError

from .failures import translated
from .files import Files

# Bytes copied at once, between looks whether somebody has thought better of it.
STEP = 16 << 20


def move(files: Files, root: Path, may_go_on: Callable[[], object]) -> None:
    """Move the files that are there below `root`, which is made if need be. `may_go_on` raises to stop a copy.

    StorageError if something is in the way or the system refuses; then, or if stopped, everything is where it was.
    """
    if root.absolute() == files.root.absolute():
        return
    pairs = [(path, root / path.relative_to(files.root)) for path in _present(files)]
    _check_free(target for _, target in pairs)
    _check_free(root / path.relative_to(files.root) for path in _to_come(files))
    files.drop()
    done: list[tuple[Path, Path]] = []
    try:
        with translated(root):
            root.mkdir(parents=True, exist_ok=True)
        for source, target in pairs:
            done.append((source, target))
            _rename_or_copy(source, target, may_go_on)
    except BaseException:
        _undo(done)
        raise
    old = files.root
    files.relocate(root)
    for source, _ in pairs:
        with translated(source):
            source.unlink(missing_ok=True)  # where it was copied
    _remove_empty((source.parent for source, _ in pairs), old)


def _present(files: Files) -> list[Path]:
    return [files.path(number) for number in files.owned()]


def _to_come(files: Files) -> Iterator[Path]:
    """Where something is to be written, sooner or later."""
    for number, file in enumerate(files.layout.files):
        if not (file.padding or file.symlink or number in files.parted):
            yield files.path(number)


def _check_free(targets: Iterable[Path]) -> None:
    for target in targets:
        if os.path.lexists(target):
            raise StorageError(f"{target}: is there already; move it away first", number=errno.EEXIST)


def _rename_or_copy(source: Path, target: Path, may_go_on: Callable[[], object]) -> None:
    with translated(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(source, target, may_go_on)


def _copy(source: Path, target: Path, may_go_on: Callable[[], object]) -> None:
    """With its times, by which it is known later, and holes left out where they are whole steps."""
    with source.open("rb") as original, target.open("xb") as copy:
        while data := original.read(STEP):
            may_go_on()
            if data.count(0) == len(data):
                copy.seek(len(data), os.SEEK_CUR)
            else:
                copy.write(data)
        copy.truncate()
        copy.flush()
        os.fsync(copy.fileno())
    shutil.copystat(source, target)


def _undo(done: Iterable[tuple[Path, Path]]) -> None:
    """Everything back to where it was; what cannot be is left where it is, and told by the next check."""
    for source, target in done:
        with suppress(OSError):
            if source.exists():
                target.unlink(missing_ok=True)
            else:
                target.rename(source)


def rename(files: Files, number: int, path: tuple[str, ...]) -> None:
    """Give a file another path below the root. StorageError if something is there, or the system refuses."""
    source, target = files.path(number), files.root.joinpath(*path)
    _check_free([target])
    if _collides(files, number, target):
        raise StorageError(f"{target}: is the place of another file of the torrent", number=errno.EEXIST)
    files.drop()
    if number in files.owned():
        with translated(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
        _remove_empty([source.parent], files.root)
    files.rename(number, target)


def _collides(files: Files, number: int, target: Path) -> bool:
    """Another file is or will be there, above it or below it."""
    others = (n for n, f in enumerate(files.layout.files) if n != number and not (f.padding or f.symlink))
    places = {files.parts_path, *map(files.path, others)}
    return target in places or any(p in places for p in target.parents) or any(target in p.parents for p in places)


def remove(files: Files) -> None:
    """Remove the files, and the folders that are empty then. StorageError for the first that cannot be.

    What a symbolic link leads to outside of the root is not ours, and stays.
    """
    files.drop()
    root = files.root.resolve()
    present = [path for path in _present(files) if path.parent.resolve().is_relative_to(root)]
    for path in present:
        with translated(path):
            path.unlink(missing_ok=True)
    _remove_empty((path.parent for path in present), files.root)


def _remove_empty(folders: Iterable[Path], root: Path) -> None:
    """These folders and those above them, up to the root and without it, if nothing is in them."""
    for folder in sorted(set(folders), key=lambda path: len(path.parts), reverse=True):
        while folder != root and root in folder.parents:
            try:
                folder.rmdir()
            except OSError:
                break
            folder = folder.parent
