"""Following torrents from their sources to their ends, for `get` and `seed`.

`Follower.run` waits for what the engine tells; `Follower.tick` looks once a second at how the torrent stands, and ends
what has stalled or seeded enough by cancelling the scope that `run` is in.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    open_client,
)

from .exits import CommandError, Exit, exit_code
from .hints import fetch_the_rest, nothing_there
from .lines import Row, finished
from .options import STOP_SECONDS, Data, Network, SeedLimits
from .source import Kind, kind_of, load, read
from .voice import Voice
from .words import duration, plural, size

TICK_SECONDS = 1.0  # between progress events, and between looks at what has stalled
DRAW_SECONDS = 0.25  # between frames of the live display: figures that change faster cannot be read

# Unread events that are kept. They are read as they come, so there is hardly ever more than one.
EVENTS = 1024


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

    def __init__(self, source: str, orders: Orders, voice: Voice) -> None:
        self.source = source
        self.exit = Exit.INTERRUPTED  # unless it comes to another end
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

    @property
    def row(self) -> Row | None:
        """For the display, while there is something to see."""
        if self.torrent is None or self._over:
            return None
        return Row(self.torrent.name, self.torrent.status)

    async def run(self, client: Client) -> None:
        """Until it is over; `exit` then says how it went."""
        try:
            with self._scope:
                await self._follow(client)
        except (CommandError, TorrentError) as error:
            self._give_up(error)
        if self._scope.cancelled_caught and self.torrent is not None:
            with trio.move_on_after(STOP_SECONDS):  # other torrents go on, this one must not
                await self.torrent.stop()

    def tick(self, now: float) -> None:
        """Report, and end what has gone on for long enough."""
        if self.torrent is None or self._over:
            return
        status = self.torrent.status
        self._emit("progress", **_figures(status))
        if status.state in (State.METADATA, State.DOWNLOADING, State.WAITING) and self._has_stalled(status, now):
            self._give_up(self._stalled(status))
        elif self._has_seeded_enough(status, now):
            self._voice.say(f"{self.torrent.name}: seeded enough, {size(status.uploaded)} uploaded")
            self.exit = Exit.DONE
            self._end()

    async def _follow(self, client: Client) -> None:
        torrent = await self._add(client)
        if torrent is None:
            return
        async with torrent.events(EVENTS) as events:
            async for event in events:
                self._hear(torrent, event)
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
        self._emit("added", **_identity(found))
        if isinstance(found, Magnet):
            self._voice.say(f"{self.torrent.name}: asking peers what there is")
            self._be_patient()
        self._save_torrent(self.torrent)
        return self.torrent

    def _know(self, torrent: Torrent) -> None:
        if torrent.metainfo is not None:
            self._emit("metadata", **_identity(torrent.metainfo))
            self._voice.say(f"{torrent.name}: {size(torrent.metainfo.geometry.size)} to be had")
            self._save_torrent(torrent)

    def _save_torrent(self, torrent: Torrent) -> None:
        """As soon as all of it is known: of v2 and by a link, peers give the piece layers later (BEP 52)."""
        path, metainfo = self._orders.save_torrent, torrent.metainfo
        if path is None or metainfo is None or metainfo.missing_layers or self._saved:
            return
        path.write_bytes(metainfo.to_bytes())
        self._saved = True
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
                pass  # pieces and peers come and go

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
            self._voice.say(f"{torrent.name}: all {plural(have, 'piece')} are there")
            self._complete(torrent, already=True)
            return
        if have and not self._orders.seed:
            self._voice.say(f"{torrent.name}: {have} of {plural(pieces, 'piece')} are there already")
        self._be_patient()

    def _complete(self, torrent: Torrent, *, already: bool = False) -> None:
        status, now = torrent.status, trio.current_time()
        seconds = now - self._started
        self._seeding_since = now
        self._save_torrent(torrent)
        if self._orders.seed:
            torrent.add_peers(self._orders.network.peers)
            return
        if not already:
            self._voice.say(finished(torrent.name, status, seconds))
        self._emit("complete", seconds=round(seconds, 3), downloaded=status.downloaded, wasted=status.wasted)
        self.exit = Exit.DONE
        self._over = not self._orders.limits  # the engine keeps seeding while other torrents go on

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
        self.exit = exit_code(error)
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
        return _hex(hashes.v1 or hashes.v2)


async def follow(sources: Sequence[str], orders: Orders, voice: Voice, interrupt: trio.CancelScope) -> Exit:
    """All sources in one client, until the last of them is over."""
    followers = [Follower(source, orders, voice) for source in sources]
    # A folder that cannot be is better known now than at the first piece.
    orders.folder.mkdir(parents=True, exist_ok=True)
    settings = attrs.evolve(
        orders.network.settings(),
        superseed=orders.superseed,
        allocation=orders.data.allocation,
        state_folder=orders.data.state_folder,
    )
    async with open_client(settings) as client:
        if orders.network.port not in (0, client.port):
            voice.say(f"port {orders.network.port} is taken: peers reach us at {client.port}")
        with interrupt:
            await watch(followers, client, voice)
    if client.unexpected:
        voice.fail(CommandError(Exit.BUG, f"{client.unexpected} errors were bugs in trio-torrent; --debug shows them"))
    return together([follower.exit for follower in followers])


async def watch(followers: Sequence[Follower], client: Client, voice: Voice) -> None:
    """Run them with progress, until the last of them is over."""
    with voice.progress():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_clock, followers, voice)
            async with trio.open_nursery() as running:
                for follower in followers:
                    running.start_soon(follower.run, client)
            nursery.cancel_scope.cancel()


def together(codes: Sequence[Exit]) -> Exit:
    """The exit code of several: an interruption, or the first failure."""
    if Exit.INTERRUPTED in codes:
        return Exit.INTERRUPTED
    return next((code for code in codes if code is not Exit.DONE), Exit.DONE)


async def _clock(followers: Sequence[Follower], voice: Voice) -> None:
    tick_at = trio.current_time()
    while True:
        now = trio.current_time()
        if now >= tick_at:
            tick_at = now + TICK_SECONDS
            for follower in followers:
                follower.tick(now)
        voice.show([row for follower in followers if (row := follower.row) is not None], now)
        await trio.sleep(DRAW_SECONDS)


def _figures(status: Status) -> dict[str, object]:
    """The fields of a progress event. Bytes, and whole bytes a second."""
    return {
        "state": status.state.value,
        "done": status.done,
        "total": status.total,
        "downloaded": status.downloaded,
        "uploaded": status.uploaded,
        "down_rate": round(status.down_rate),
        "up_rate": round(status.up_rate),
        "peers": status.peers,
        "seeds": status.seeds,
        "reason": status.reason,
    }


def _identity(found: Metainfo | Magnet) -> dict[str, object]:
    """What a torrent is, as far as it is known."""
    geometry = found.geometry if isinstance(found, Metainfo) else None
    return {
        "name": found.name or None,
        "info_hash_v1": _hex(found.info_hashes.v1),
        "info_hash_v2": _hex(found.info_hashes.v2),
        "size": geometry and geometry.size,
        "pieces": geometry and geometry.pieces,
        "piece_length": geometry and geometry.piece_length,
    }


def _hex(digest: bytes | None) -> str | None:
    return digest.hex() if digest is not None else None
