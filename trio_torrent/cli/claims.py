"""Which files the torrents of one run write. Two that wrote the same one would undo each other's work for ever."""

from __future__ import annotations

from trio_torrent import Metainfo

from .exits import CommandError, Exit


class Claims:
    """For torrents that go to one folder."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, ...], str] = {}  # by path, the source of the torrent

    def claim(self, metainfo: Metainfo, source: str) -> None:
        """Its files are this one's from now on. Raises CommandError if another torrent has one of them."""
        paths = [file.path for file in metainfo.files if not file.padding]
        for path in paths:
            if (owner := self._owners.get(path)) is not None:
                name = "/".join(path)
                raise CommandError(Exit.USAGE, f"{source}: {name} is in {owner}, too; use another -o for one of them")
        self._owners.update(dict.fromkeys(paths, source))
