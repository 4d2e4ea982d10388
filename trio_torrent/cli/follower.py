"""One torrent of `get` or `seed`, from its source to its end.

`Follower.run` waits for what the engine tells; `Follower.tick` looks once a second at how the torrent stands, and ends
what has stalled or seeded enough by cancelling the scope that `run` is in.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import attrs
import trio

from trio_torrent import (
    Checked,
    Client,
    Completed,
    Failed,
    FileDone,
    IncompleteError,
    Magnet,
    MetadataDone,
    Metainfo,
    Overflow,
    State,
    Status,
    StorageError,
    Torrent,
    TorrentError,
    TorrentEvent,
    Troubled,
)

from .claims import Claims
from .exits import CommandError, Exit, exit_code
from .fields import as_hex, figures, identity, result, sources
from .hints import fetch_the_rest, nothing_there
from .hook import run_hook
from .lines import Row, finished, seeded, unfinished
from .origins import origins
from .source import Kind, kind_of, load, read
from .voice import Voice
from .wishes import STOP_SECONDS, Data, Network, SeedLimits
from .words import clean, duration, plural, size

# Unread events that are kept: all of them. They are read as they come; but one piece may complete any number of files.
EVENTS = 1 << 30

# What is heard of. Peers come and go, pieces come, and nothing is said of it; files are for programs alone.
HEARD = (MetadataDone, Checked, Completed, Failed, Troubled)


@attrs.frozen(kw_only=True)
class Orders:
    """What is to be done with each torrent."""

    folder: Path
    network: Network
    limits: SeedLimits
    seed: bool = False  # the data is said to be there, so it is an error if it is not
    data: Data = attrs.field(factory=Data)
    superseed: bool = False
    stall_seconds: float | None = None  # give up when nothing has arrived for so long
    save_torrent: Path | None = None  # where to keep the .torrent
    on_done: tuple[str, ...] = ()  # what is run when it is complete


class Stall:
    """Notices when nothing has arrived for `patience` seconds."""

    def __init__(self, patience: float, now: float) -> None:
        self._patience = patience
        self._arrived = 0
        self._since = now

    def stalled(self, arrived: int, now: float) -> bool:
        """Told how many bytes have arrived in all: whether it has been no more for too long."""
        if arrived != self._arrived:
            self._arrived, self._since = arrived, now
        return now - self._since >= self._patience


class Follower:
    """One SOURCE of `get` or `seed`."""

    def __init__(self, source: str, orders: Orders, voice: Voice, claims: Claims) -> None:
        self.source = source
        self._claims = claims
        self.exit: Exit = Exit.INTERRUPTED  # unless it comes to another end
        self.torrent: Torrent | None = None
        self._orders = orders
        self._voice = voice
        self._scope = trio.CancelScope()
        self._over = False
        self._started = 0.0
        self._seeding_since: float | None = None
        self._stall: Stall | None = None
        self._found: int | None = None  # pieces that were there
        self._saved = False
        self._seconds: float | None = None  # that the download has taken
        self._hooked = False
        self._origins: dict[str, str] = {}  # what the sources of peers have last said, as far as it was told
        self._concluded = False  # the last thing that was said of it was how it has gone

    @property
    def row(self) -> Row | None:
        """For the display, while there is something to see."""
        if self.torrent is None or self._over:
            return None
        return Row(self.torrent.name, self.torrent.status, self._voice.verbose)

    @property
    def counts(self) -> bool:
        """It stands for a torrent, or should: another source may have brought the same one."""
        return self.torrent is not None or self.exit is not Exit.DONE

    @property
    def goes_on(self) -> bool:
        """It has got somewhere, and the same command would go on from there."""
        return self.exit is Exit.INTERRUPTED and self.torrent is not None and not self._orders.seed

    async def run(self, client: Client) -> None:
        """Until it is over, and what is run when it is complete, too; `exit` then says how it went."""
        async with trio.open_nursery() as hooks:
            await self._run(client, hooks)

    async def _run(self, client: Client, hooks: trio.Nursery) -> None:
        try:
            with self._scope:
                await self._follow(client, hooks)
        except (CommandError, TorrentError) as error:
            self._give_up(error)
        if self._scope.cancel_called and self.torrent is not None:
            with trio.move_on_after(STOP_SECONDS):  # other torrents go on, this one must not
                await self.torrent.stop()

    def tick(self, now: float) -> None:
        """Report, and end what has gone on for long enough."""
        if self.torrent is None or self._over:
            return
        status = self.torrent.status
        self._emit("progress", **figures(status))
        self._tell_origins(status)
        if status.state in (State.METADATA, State.DOWNLOADING, State.WAITING) and self._has_stalled(status, now):
            self._give_up(self._stalled(status))
        elif status.state is State.ALLOCATING:
            self._be_patient()
        elif self._has_seeded_enough(status, now):
            seconds = now - (self._seeding_since or now)
            self._emit("seeded", **result(status, seconds))
            self._voice.say(f"{seeded(self.torrent.name, status, seconds)}: seeded enough")
            self.exit, self._concluded = Exit.DONE, True
            self._end()

    def conclude(self, now: float) -> None:
        """Say how it has gone, in the end, unless that has just been said."""
        if self.torrent is None or self._concluded:
            return
        name, status = self.torrent.name, self.torrent.status
        if self._seeding_since is not None:
            self._voice.say(seeded(name, status, now - self._seeding_since))
        elif not self._orders.seed:
            self._voice.say(unfinished(name, status, now - self._started))

    def _tell_origins(self, status: Status) -> None:
        """Where peers come from: when there is news of it. The times change always, and are none."""
        said = {origin.name: origin.said for origin in origins(status)}
        if said != self._origins:
            self._origins = said
            self._emit("sources", **sources(status))

    async def _follow(self, client: Client, hooks: trio.Nursery) -> None:
        torrent = await self._add(client)
        if torrent is None:
            return
        async with torrent.events(EVENTS, only=(*HEARD, FileDone) if self._voice.as_json else HEARD) as events:
            async for event in events:
                self._hear(torrent, event)
                self._run_hook(torrent, hooks)
                if self._over:
                    return
        raise CommandError(Exit.BUG, f"{torrent.name} has stopped without a reason: this is a bug in trio-torrent")

    async def _add(self, client: Client) -> Torrent | None:
        """The torrent, or None if another source has brought the same one."""
        if kind_of(self.source) is Kind.URL:
            self._voice.say(f"fetching {self.source}")
        get = load if self._orders.seed else read  # who seeds must know what
        found = await get(self.source, proxy=self._orders.network.proxy)
        names = {*found.info_hashes.all_wire}
        if any(names & {*known.info_hashes.all_wire} for known in client.torrents):
            self._voice.say(f"{self.source}: the same torrent as another source")
            self.exit, self._over = Exit.DONE, True
            return None
        if isinstance(found, Metainfo):
            self._claims.claim(found, self.source)
        # A seeder connects to peers only when it is known that there is something to give.
        peers = () if self._orders.seed else self._orders.network.peers
        data = self._orders.data
        try:
            self.torrent = await client.add(
                found,
                save_path=self._orders.folder,
                peers=peers,
                download=not self._orders.seed,
                select=data.select or None,
                sequential=data.sequential,
                trust_record=data.trust_record,
                overwrite=data.overwrite,
            )
        except ValueError as error:
            raise CommandError(Exit.USAGE, f"{error}; --list shows its files") from error
        self._started = trio.current_time()
        self._emit("added", **identity(found))
        if isinstance(found, Magnet):
            self._voice.say(f"{self.torrent.name}: asking peers what there is")
            self._be_patient()
        self._save_torrent(self.torrent)
        return self.torrent

    def _know(self, torrent: Torrent) -> None:
        if torrent.metainfo is not None:
            self._claims.claim(torrent.metainfo, self.source)
            self._emit("metadata", **identity(torrent.metainfo))
            self._voice.say(f"{torrent.name}: {size(torrent.metainfo.geometry.size)} to be had")
            self._save_torrent(torrent)

    def _save_torrent(self, torrent: Torrent) -> None:
        """As soon as all of it is known: of v2 and by a link, peers give the piece layers later (BEP 52)."""
        path, metainfo = self._orders.save_torrent, torrent.metainfo
        if path is None or metainfo is None or self._saved:
            return
        lacking = bool(metainfo.missing_layers)
        if lacking and not metainfo.has_v1 and self._seconds is None:
            return
        try:
            path.write_bytes(metainfo.to_bytes())
        except OSError as error:
            raise CommandError(Exit.DISK, f"{path}: {error.strerror}") from error
        self._saved = not lacking
        self._voice.say(f"{torrent.name}: its .torrent is {path}")

    def _be_patient(self) -> None:
        """From here on, something should arrive."""
        if self._orders.stall_seconds is not None:
            self._stall = Stall(self._orders.stall_seconds, trio.current_time())

    def _hear(self, torrent: Torrent, event: TorrentEvent) -> None:
        match event:
            case MetadataDone():
                self._know(torrent)
            case Checked(have, pieces):
                self._checked(torrent, have, pieces)
            case FileDone(path):
                self._emit("file-complete", path=path)
            case Completed():
                self._complete(torrent)
            case Overflow() if torrent.status.state is State.SEEDING and self._seeding_since is None:
                self._complete(torrent)
            case Failed(IncompleteError() as error):
                folder = self._orders.folder
                metainfo = torrent.metainfo
                reason = (metainfo and nothing_there(metainfo, folder)) or (
                    f"only {error.good} of {torrent.status.pieces} pieces in {folder} are good; "
                    f"{fetch_the_rest(self.source, folder)}"
                )
                raise CommandError(Exit.UNVERIFIED, f"{torrent.name}: {reason}")
            case Failed(error):
                raise error
            case Troubled(error):
                self._trouble(torrent, error)
            case _:
                pass

    def _trouble(self, torrent: Torrent, error: StorageError) -> None:
        """What cannot begin should be seen to now. In the midst of it, whoever is away is glad that it goes on."""
        if not torrent.status.downloaded:
            raise error
        self._voice.say(f"{torrent.name}: {error}; trying again")

    def _checked(self, torrent: Torrent, have: int, pieces: int) -> None:
        self._emit("checked", have=have, pieces=pieces)
        first, self._found = self._found is None, have
        if not first:
            return
        if torrent.status.done == torrent.status.total:
            verified = "and verified" if torrent.status.checked else "as they were when they were verified"
            self._voice.say(f"{torrent.name}: all {plural(have, 'piece')} are there, {verified}")
            self._complete(torrent, already=True)
            return
        if have and not self._orders.seed:
            self._voice.say(f"{torrent.name}: {have} of {plural(pieces, 'piece')} are there already")
        self._be_patient()

    def _complete(self, torrent: Torrent, *, already: bool = False) -> None:
        status, now = torrent.status, trio.current_time()
        seconds = now - self._started
        self._seeding_since, self._seconds = now, seconds
        self._save_torrent(torrent)
        if self._orders.seed:
            torrent.add_peers(self._orders.network.peers)
            return
        if not already:
            self._voice.say(finished(torrent.name, status, seconds))
        self._emit("complete", already=already, **result(status, seconds))
        self.exit = Exit.DONE
        self._over = self._concluded = not self._orders.limits  # the engine keeps seeding while other torrents go on

    def _run_hook(self, torrent: Torrent, hooks: trio.Nursery) -> None:
        """Once, when it is complete."""
        if self._orders.on_done and self._seconds is not None and not self._hooked:
            self._hooked = True
            hooks.start_soon(self._hook, torrent, self._seconds)

    async def _hook(self, torrent: Torrent, seconds: float) -> None:
        name, folder, status = torrent.name, self._orders.folder.absolute(), torrent.status
        values = {
            "NAME": clean(name),  # by whoever has made the torrent; the paths are as they are on the disk
            "PATH": folder / torrent.files[0].path.partition("/")[0],
            "FOLDER": folder,
            "INFO_HASH": self._info_hash,
            "SIZE": status.total,
            "DOWNLOADED": status.downloaded,
            "UPLOADED": status.uploaded,
            "SECONDS": round(seconds),
            "SOURCE": self.source,
        }
        self._voice.say(f"{name}: running {shlex.join(self._orders.on_done)}")
        failure: str | None = "interrupted"  # unless it comes to its end
        try:
            failure = await run_hook(self._orders.on_done, values, lambda line: self._voice.say(f"{name}: {line}"))
        finally:
            self._tell_hook(name, failure)

    def _tell_hook(self, name: str, failure: str | None) -> None:
        self._emit("on-done", failure=failure)
        if failure is not None:
            self._voice.warn(f"{name}: complete, but --on-done failed: {failure}")

    def _has_stalled(self, status: Status, now: float) -> bool:
        return self._stall is not None and self._stall.stalled(status.downloaded, now)

    def _has_seeded_enough(self, status: Status, now: float) -> bool:
        return self._seeding_since is not None and self._orders.limits.reached(
            uploaded=status.uploaded, size=status.total, seconds=now - self._seeding_since
        )

    def _stalled(self, status: Status) -> CommandError:
        reason = status.reason or "waiting for data"
        self._emit("stalled", reason=reason)
        name = self.torrent.name if self.torrent is not None else self.source
        waited = duration(self._orders.stall_seconds or 0)
        if status.state is State.WAITING:
            return CommandError(Exit.DISK, f"{name}: nothing could be written for {waited}: {reason}")
        return CommandError(Exit.STALLED, f"{name}: nothing has arrived for {waited}: {reason}")

    def _give_up(self, error: CommandError | TorrentError) -> None:
        self._voice.fail(error, info_hash=self._info_hash, source=self.source)
        self.exit, self._concluded = exit_code(error), True
        self._end()

    def _end(self) -> None:
        self._over = True
        self._scope.cancel()

    def _emit(self, event: str, **fields: object) -> None:
        self._voice.emit(event, info_hash=self._info_hash, **fields)

    @property
    def _info_hash(self) -> str | None:
        """By it a program knows which torrent an event is about."""
        if self.torrent is None:
            return None
        hashes = self.torrent.info_hashes
        return as_hex(hashes.v1 or hashes.v2)
