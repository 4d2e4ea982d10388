"""`info`: what a torrent or a link says about itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import attrs
import trio

from trio_torrent import InfoHashes, Magnet, Metainfo

from .exits import CommandError, Exit, complaint
from .learn import NOBODY, Asking, learn
from .source import read
from .words import clean, plural, size

LONGEST_TEXT = 1600  # characters of a comment and the like that are shown: a screen of 80 columns
FEW_FILES = 20  # so many are shown unless all are asked for: a screen of 24 lines

_LABEL_WIDTH = 14  # characters; the longest label, and a blank


@attrs.frozen
class Listed:
    """A file as it is shown. Padding is none."""

    path: str  # from the save path, with slashes
    length: int  # bytes
    attributes: tuple[str, ...]  # BEP 47
    symlink: str  # where it leads, like `path`; empty if it is no link
    pieces_root: str  # its own hash (BEP 52), hexadecimal; empty without v2

    def fields(self) -> dict[str, object]:
        """For programs. What a file does not have is left out."""
        fields = attrs.asdict(self)
        return {"path": fields.pop("path"), "length": fields.pop("length"), **_present(fields)}

    def line(self) -> str:
        """For people, behind the file's number."""
        attributes = f"  ({', '.join(self.attributes)})" if self.attributes else ""
        leads = f" -> {self.symlink}" if self.symlink else ""
        return f"{size(self.length):>10}  {self.path}{leads}{attributes}"


async def info(
    sources: Sequence[str],
    interrupt: trio.CancelScope,
    *,
    as_json: bool,
    all_files: bool,
    asking: Asking = NOBODY,
) -> Exit:
    """Show each source; of a link what peers tell of it, and else what it says itself.

    One that cannot be read is said to be so, and the rest go on.
    """
    code = Exit.INTERRUPTED
    with interrupt:
        results = [await _show(source, as_json=as_json, all_files=all_files, asking=asking) for source in sources]
        code = next((result for result in results if result is not Exit.DONE), Exit.DONE)
    return code


async def _show(source: str, *, as_json: bool, all_files: bool, asking: Asking) -> Exit:
    try:
        found = await read(source, proxy=asking.network.proxy)
        why_not = None
        if isinstance(found, Magnet):
            found, why_not = await learn(found, asking)
    except CommandError as error:
        if as_json:
            print(json.dumps({"source": source, "error": str(error)}), flush=True)
        print(complaint(str(error)), file=sys.stderr, flush=True)
        return error.code
    if as_json:
        warnings = {"warnings": [why_not]} if why_not else {}
        print(json.dumps({"source": source, **fields(found), **warnings}), flush=True)
    else:
        print("\n".join(describe(found, all_files=all_files)), end="\n\n", flush=True)
        if why_not:
            print(complaint(f"{found.name or source}: {why_not}"), file=sys.stderr, flush=True)
    return Exit.DONE


def fields(found: Metainfo | Magnet) -> dict[str, object]:
    """For programs. What a link does not say is null."""
    return _torrent_fields(found) if isinstance(found, Metainfo) else _magnet_fields(found)


def _torrent_fields(torrent: Metainfo) -> dict[str, object]:
    return {
        **_identity(torrent.name, torrent.info_hashes),
        "piece_length": torrent.geometry.piece_length,
        "pieces": torrent.geometry.pieces,
        "size": torrent.geometry.size,
        "files": [file.fields() for file in _files(torrent)],
        "trackers": torrent.trackers,
        "web_seeds": torrent.web_seeds,
        "private": torrent.private,
        "comment": torrent.comment,
        "created_by": torrent.created_by,
        "creation_date": torrent.creation_date,
        "warnings": torrent.warnings,
        "magnet": str(torrent.magnet),
        **_present(
            {
                "http_seeds": torrent.http_seeds,
                "nodes": [str(node) for node in torrent.nodes],
                "source_tag": torrent.source,
                "similar": [digest.hex() for digest in torrent.similar],
                "collections": torrent.collections,
            }
        ),
    }


def _present(fields: dict[str, object]) -> dict[str, object]:
    """What few torrents have, and is left out where there is none."""
    return {name: value for name, value in fields.items() if value}


def _magnet_fields(magnet: Magnet) -> dict[str, object]:
    unknown = ("piece_length", "pieces", "size", "files", "private", "comment", "created_by", "creation_date")
    return {
        **_identity(magnet.name, magnet.info_hashes),
        **dict.fromkeys(unknown),
        "trackers": [[url] for url in magnet.trackers],
        "web_seeds": magnet.web_seeds,
        "peers": [str(peer) for peer in magnet.peers],
        "warnings": [],
        "magnet": str(magnet),
    }


def _identity(name: str, hashes: InfoHashes) -> dict[str, object]:
    return {
        "name": name,
        "info_hash_v1": hashes.v1.hex() if hashes.v1 else None,
        "info_hash_v2": hashes.v2.hex() if hashes.v2 else None,
        "version": _version(hashes),
    }


def _version(hashes: InfoHashes) -> str:
    if hashes.v1 and hashes.v2:
        return "hybrid"
    return "1" if hashes.v1 else "2"


def _files(torrent: Metainfo) -> Iterator[Listed]:
    for file in torrent.files:
        if not file.padding:
            attributes = [name for name in ("executable", "hidden") if getattr(file, name)]
            root = file.pieces_root.hex() if file.pieces_root else ""
            yield Listed("/".join(file.path), file.length, tuple(attributes), "/".join(file.symlink or ()), root)


def describe(found: Metainfo | Magnet, *, all_files: bool = False) -> Iterator[str]:
    """For people, line by line, safe for a terminal."""
    lines = _torrent_lines(found, all_files) if isinstance(found, Metainfo) else _magnet_lines(found)
    return map(clean, lines)


def _torrent_lines(torrent: Metainfo, all_files: bool) -> Iterator[str]:
    yield from _identity_lines(torrent.name, torrent.info_hashes)
    yield _line("size", f"{size(torrent.geometry.size)} ({torrent.geometry.size} bytes)")
    yield _line("pieces", f"{torrent.geometry.pieces} x {size(torrent.geometry.piece_length)}")
    for number, tier in enumerate(torrent.trackers, 1):
        for url in tier:
            yield _line(f"tracker {number}", url)
    yield from (_line("web seed", url) for url in torrent.web_seeds)
    yield from (_line("http seed", url) for url in torrent.http_seeds)
    yield from (_line("DHT node", str(node)) for node in torrent.nodes)
    if torrent.private:
        yield _line("private", "yes: peers come from its trackers only")
    yield from _optional("source", torrent.source)
    yield from (_line("similar to", digest.hex()) for digest in torrent.similar)
    yield from (_line("collection", name) for name in torrent.collections)
    yield from _optional("comment", torrent.comment)
    yield from _optional("created by", torrent.created_by)
    yield from _optional("created on", when(torrent.creation_date))
    yield from (_line("warning", warning) for warning in torrent.warnings)
    yield _line("magnet", str(torrent.magnet))
    yield from _file_lines(list(_files(torrent)), all_files)


def _file_lines(files: list[Listed], all_files: bool) -> Iterator[str]:
    yield _line("files", str(len(files)))
    shown = files if all_files else files[:FEW_FILES]
    digits = len(str(len(shown)))
    for number, file in enumerate(shown, 1):
        yield f"  {number:>{digits}}  {file.line()}"
    if len(shown) < len(files):
        yield f"  and {plural(len(files) - len(shown), 'more file')}; --list shows all"


def _magnet_lines(magnet: Magnet) -> Iterator[str]:
    yield from _identity_lines(magnet.name, magnet.info_hashes)
    yield from (_line("tracker", url) for url in magnet.trackers)
    yield from (_line("web seed", url) for url in magnet.web_seeds)
    yield from (_line("peer", str(peer)) for peer in magnet.peers)
    yield _line("magnet", str(magnet))


def _identity_lines(name: str, hashes: InfoHashes) -> Iterator[str]:
    yield from _optional("name", name)
    for version, digest in (("v1", hashes.v1), ("v2", hashes.v2)):
        if digest is not None:
            yield _line(f"info-hash {version}", digest.hex())
    yield _line("version", _version(hashes))


def when(seconds: int | None) -> str:
    """A time since 1970 in UTC; nothing if there is none, the number itself if no calendar has it."""
    if seconds is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _optional(label: str, text: str) -> Iterator[str]:
    if text:
        yield _line(label, text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… (--json has all of it)")


def _line(label: str, text: str) -> str:
    return f"{label:<{_LABEL_WIDTH}}{text}"
