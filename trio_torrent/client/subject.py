"""What a torrent is: by its link, a name and a hash; once there is more, its files, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trio_torrent.metainfo.infohash import InfoHashes
from trio_torrent.metainfo.magnet import Magnet

from .content import Rules
from .known import Known
from .metainfo import Metainfo
from .progress import Progress
from .selection import Selection
from .shared import Shared


class Subject:
    """Of one torrent. `select` is what the user wants of it, None for all. ValueError if that means no file."""

    def __init__(
        self,
        source: Metainfo | Magnet,
        save_path: Path,
        shared: Shared,
        rules: Rules,
        select: str | Iterable[str | int] | None,
    ) -> None:
        self.magnet: Magnet = source.magnet if isinstance(source, Metainfo) else source
        self.known: Known | None = None
        self._save_path = save_path
        self._shared = shared
        self._rules = rules
        self._chosen = [select] if isinstance(select, str) else select
        if isinstance(source, Metainfo):
            self.learn(source)

    def learn(self, metainfo: Metainfo) -> Known:
        """What there is is known, although not yet what is there of it. ValueError for a selection of nothing."""
        selection = Selection(metainfo)
        if self._chosen is not None:
            selection.select(*self._chosen)
        elif self.magnet.select:
            selection.keep(self.magnet.select)
        self.known = Known(metainfo, selection, self._save_path, self._shared, self._rules)
        return self.known

    def know(self) -> Known:
        """What is known. RuntimeError if it is not yet."""
        if self.known is None:
            raise RuntimeError(f"{self.name}: it is not known yet what there is; wait_metadata() tells when")
        return self.known

    def select(self, *what: str | int) -> None:
        """Want these files and no others, as soon as they are known. ValueError as for `Selection.find`."""
        self._chosen = what
        if self.known is not None:
            self.known.selection.select(*what)

    @property
    def metainfo(self) -> Metainfo | None:
        """None as long as only a link is known."""
        return self.known.metainfo if self.known is not None else None

    @property
    def name(self) -> str:
        """What it calls itself, safe as a file's name. A link may name it otherwise, or by its hash alone."""
        if self.known is not None:
            return self.known.metainfo.name
        return self.magnet.name or self.magnet.info_hashes.wire.hex()

    @property
    def info_hashes(self) -> InfoHashes:
        """By which it is known. A link to a hybrid may name only one of the two."""
        return self.known.metainfo.info_hashes if self.known is not None else self.magnet.info_hashes

    @property
    def private(self) -> bool:
        """Its trackers alone may name peers (BEP 27). Of a link it is not known, so it is not until it is."""
        return self.known is not None and self.known.metainfo.private

    @property
    def save_path(self) -> Path:
        """The folder that its files are in."""
        return self.known.content.files.root if self.known is not None else self._save_path

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self.known.progress if self.known is not None else Progress.unknown()
