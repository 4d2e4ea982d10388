"""What is known of a torrent once its info dictionary is there: its files, which are wanted, and what is there of them.

It outlives the sessions, each of which looks at the disk again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from trio_torrent.bitfield import Bitfield
from trio_torrent.disk.check import check
from trio_torrent.metainfo.trees import Trees
from trio_torrent.swarm.events import Released

from .content import Content, Rules
from .metainfo import Metainfo
from .progress import Progress
from .selection import Selection
from .shared import Shared
from .webseeds import WebSeeds

# Pieces that are made known in one go: a message each for every peer, and a peer is dropped that lets 4096 pile up.
RELEASED_AT_ONCE = 1000


class Known:
    """One torrent's data. ValueError if the selection means no file."""

    def __init__(self, metainfo: Metainfo, selection: Selection, save_path: Path, shared: Shared, rules: Rules) -> None:
        self.metainfo: Metainfo = metainfo
        self.selection = selection
        self.content: Content = Content(metainfo, save_path, shared.workers, shared.records, rules)
        self.web_seeds: WebSeeds = WebSeeds(metainfo, shared.lanes, shared.boundary, on=shared.settings.web_seeds)
        self.progress: Progress = Progress.of(metainfo, Bitfield(metainfo.geometry.pieces), selection.skipped)
        self.trees: Trees | None = None  # of a v2 torrent, once it was looked at
        self.hold: Bitfield = Bitfield(metainfo.geometry.pieces)  # pieces that nothing can be compared with yet
        self._rules = rules
        self._workers = shared.workers

    async def find(self, tell: Callable[[int], None]) -> None:
        """Find out which pieces are there. As `Content.find`."""
        await self.content.find(self.selection, tell)
        have = Bitfield.from_bytes(bytes(self.content.have), self.content.have.size)
        self.progress = Progress.of(self.metainfo, have, self.selection.skipped)

    async def weigh(self) -> None:
        """Find out what pieces can be compared with. With a hundred thousand files it takes half a second."""
        metainfo = self.metainfo
        self.trees, unverifiable = await self._workers.run(lambda: (metainfo.trees, metainfo.unverifiable))
        # What a record tells of was verified when there was more.
        self.hold = unverifiable - self.progress.have

    async def complete(self, layers: Mapping[bytes, bytes]) -> list[Released]:
        """Peers have given the piece layers: compare what could not be compared, and let the rest be fetched.

        Of a hybrid nothing was held, since it could be compared by its SHA-1.
        """
        incomplete, store = self.metainfo, self.content.store
        held = await self._workers.run(lambda: incomplete.unverifiable)
        self.metainfo = await self._workers.run(partial(incomplete.with_piece_layers, layers))
        self.content.complete(self.metainfo)
        good = (await check(self.metainfo, store.files, self._workers, only=held)).good if held else ()
        pieces = tuple(held)
        portions = [pieces[at : at + RELEASED_AT_ONCE] for at in range(0, len(pieces), RELEASED_AT_ONCE)]
        return [Released(portion, tuple([piece for piece in portion if piece in good])) for portion in portions]

    def verified(self, piece: int) -> Iterator[str]:
        """A piece has joined those that are there: the paths of the files that it completes."""
        self.content.wrote(piece)
        files = self.content.files
        for number in self.progress.verified(piece):
            if number not in files.parted:
                files.seal(number)
                yield "/".join(files.layout.files[number].path)
