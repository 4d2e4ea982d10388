"""`create`: the torrent of a file or a folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import attrs
import trio

from trio_torrent import Metainfo

from .exits import CommandError, Exit
from .info import fields
from .reading import Progress, read_through
from .source import MAX_TORRENT_SIZE
from .voice import Voice
from .wishes import Recipe
from .words import plural, size

STDOUT = Path("-")


@attrs.frozen(kw_only=True)
class Target:
    """Where the torrent goes."""

    output: Path | None = None  # None for NAME.torrent here; a folder for NAME.torrent there; - for stdout
    force: bool = False  # replace what is there

    def place(self, path: Path) -> Path | None:
        """The file for the torrent of what is at `path`; None for stdout.

        Raises CommandError for what would fail, or do harm, when everything has been hashed.
        """
        if self.output == STDOUT:
            return None
        output = Path() if self.output is None else self.output
        if output.is_dir():
            output /= f"{path.name}.torrent"
        output = Path(os.path.realpath(output))  # a link stays, and what it leads to is replaced
        if not output.parent.is_dir():
            raise CommandError(Exit.USAGE, f"{output.parent}: there is no such folder for the torrent")
        if not os.access(output.parent, os.W_OK):
            raise CommandError(Exit.DISK, f"{output.parent}: no permission to write the torrent there")
        if output.exists():
            self._check_replaceable(output, path.resolve())
        return output

    def _check_replaceable(self, output: Path, shared: Path) -> None:
        if not output.is_file():
            raise CommandError(Exit.USAGE, f"{output}: not a file that a torrent can be in; -o - writes to stdout")
        if output.is_relative_to(shared):
            raise CommandError(Exit.USAGE, f"{output}: would be in the torrent itself; remove it, or use another -o")
        if not self.force:
            raise CommandError(Exit.USAGE, f"{output}: is there already; --force replaces it")


async def create(
    path: Path, target: Target, recipe: Recipe, voice: Voice, interrupt: trio.CancelScope, *, as_json: bool
) -> Exit:
    """Hash and write. Raises CommandError, StorageError or MetainfoError, and nothing is written then."""
    code = Exit.INTERRUPTED
    path = _named(path)
    output = target.place(path)
    if output is None and (as_json or sys.stdout.isatty()):
        raise CommandError(Exit.USAGE, "a torrent on stdout is not for a terminal, and not for --json: use -o FILE")

    async def read(progress: Progress) -> Metainfo:
        return await Metainfo.create(path, **attrs.asdict(recipe, recurse=False), progress=progress)

    with interrupt:
        metainfo = await read_through(path.name, "hashing", voice, read)
        data = metainfo.to_bytes()
        if output is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            target.place(path)  # it took a while, and somebody may have put something there
            write(output, data)
        _tell(metainfo, path, output, voice, as_json=as_json)
        code = Exit.DONE
    return code


def _named(path: Path) -> Path:
    """The path with a name at its end, by which the torrent is called."""
    return path if path.name not in ("", "..") else path.resolve()


def write(output: Path, data: bytes) -> None:
    """The whole file, or nothing. Raises CommandError."""
    temporary = output.with_name(f".trio-torrent-{os.getpid()}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(output)
    except OSError as error:
        raise CommandError(Exit.DISK, f"{output}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _tell(metainfo: Metainfo, path: Path, output: Path | None, voice: Voice, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"source": str(path), "output": str(output), **fields(metainfo)}), flush=True)
    geometry, files = metainfo.geometry, sum(not file.padding for file in metainfo.files)
    pieces = f"{plural(geometry.pieces, 'piece')} of {size(geometry.piece_length)}"
    where = "stdout" if output is None else output
    voice.say(f"wrote {where}: {size(geometry.size)} in {plural(files, 'file')}, {pieces}")
    voice.say(str(metainfo.magnet))
    for warning in metainfo.warnings:
        voice.say(f"warning: {warning}")
    if len(metainfo.to_bytes()) > MAX_TORRENT_SIZE:
        voice.say(
            f"warning: the torrent has {size(len(metainfo.to_bytes()))}, and clients read {size(MAX_TORRENT_SIZE)}: "
            "--v1, longer pieces or fewer files make it smaller"
        )
