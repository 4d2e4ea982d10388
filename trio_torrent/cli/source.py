"""What a SOURCE is, and the torrent it stands for."""

from __future__ import annotations

import enum
import os
import sys

import trio

from trio_torrent import Magnet, MagnetError, Metainfo, TorrentError

from .exits import CommandError, Exit, explain

MAX_TORRENT_SIZE = 10 << 20  # bytes that are read of a file; `Metainfo` refuses larger ones, too


class Kind(enum.Enum):
    """How a SOURCE is written."""

    FILE = enum.auto()
    STDIN = enum.auto()
    URL = enum.auto()
    MAGNET = enum.auto()  # or a bare info-hash


def kind_of(source: str) -> Kind:
    """A file of the name wins over an info-hash that looks the same."""
    if source == "-":
        return Kind.STDIN
    if source.lower().startswith(("http://", "https://")):
        return Kind.URL
    if source.lower().startswith("magnet:"):
        return Kind.MAGNET
    return Kind.MAGNET if not os.path.exists(source) and _is_info_hash(source) else Kind.FILE


def _is_info_hash(text: str) -> bool:
    try:
        Magnet.parse(text)
    except MagnetError:
        return False
    return True


def check_sources(sources: tuple[str, ...]) -> None:
    """Refuse what no command can mean."""
    if "" in sources:
        raise CommandError(Exit.USAGE, "a SOURCE is empty: name a .torrent, its URL, a magnet link or an info-hash")
    if sources.count("-") > 1:
        raise CommandError(Exit.USAGE, "stdin (-) can be read only once")


async def load(source: str, *, proxy: str | None = None) -> Metainfo:
    """The torrent of a file, stdin or URL. Raises CommandError for whatever is wrong with it.

    `proxy` is what a URL is fetched through, if anything.
    """
    try:
        match kind_of(source):
            case Kind.URL:
                return await Metainfo.fetch(source, proxy=proxy)
            case Kind.MAGNET:
                Magnet.parse(source)  # one that is wrong should be said to be wrong
                raise CommandError(Exit.INVALID, f"{source}: a link does not say what there is; use its .torrent")
            case Kind.STDIN:
                return _parsed(source, await _read(sys.stdin.fileno()))
            case Kind.FILE:
                return _parsed(source, await _read(source))
    except (TorrentError, OSError) as error:
        raise unusable(source, error) from error


def _parsed(source: str, data: bytes) -> Metainfo:
    if not data:
        raise CommandError(Exit.INVALID, f"{_name(source)}: is empty, and no torrent")
    return Metainfo.from_bytes(data)


async def read(source: str, *, proxy: str | None = None) -> Metainfo | Magnet:
    """Whatever the source is; an info-hash alone is a link. Raises CommandError."""
    if kind_of(source) is not Kind.MAGNET:
        return await load(source, proxy=proxy)
    try:
        return Magnet.parse(source)
    except MagnetError as error:
        raise unusable(source, error) from error


def unusable(source: str, error: TorrentError | OSError) -> CommandError:
    """The error of a source, with its name in front."""
    if isinstance(error, FileNotFoundError) and "://" in source:
        return CommandError(Exit.INVALID, f"{source}: a torrent is fetched by http or https, and from nowhere else")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else explain(error)
    return CommandError(Exit.INVALID, f"{_name(source)}: {reason}")


def _name(source: str) -> str:
    return "stdin" if source == "-" else source


async def _read(file: str | int) -> bytes:
    """No more of it than a torrent may have. Whoever sits at a pipe that brings nothing can still press Ctrl-C."""

    def read() -> bytes:
        # Not sys.stdin, whose lock a thread that was left behind would hold when the interpreter ends.
        with open(file, "rb", closefd=isinstance(file, str)) as stream:
            return stream.read(MAX_TORRENT_SIZE + 1)

    return await trio.to_thread.run_sync(read, abandon_on_cancel=True)
