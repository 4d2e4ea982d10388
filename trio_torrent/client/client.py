"""What the torrents of one program share: a port, an identity, threads, and the way out."""

from __future__ import annotations

import os
import secrets
import string
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from random import Random
from types import EllipsisType
from typing import TYPE_CHECKING

import trio

from trio_torrent.address import Address, is_local
from trio_torrent.disk.boot import boot_id
from trio_torrent.disk.records import Records
from trio_torrent.disk.workers import Workers, open_workers
from trio_torrent.metainfo.magnet import Magnet
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.descriptors import most_descriptors
from trio_torrent.net.dial import dial
from trio_torrent.net.listen import Reception, Welcome, open_listeners, own_addresses, port_of
from trio_torrent.net.places import Places
from trio_torrent.swarm.mirror import Mirror
from trio_torrent.swarm.shares import Budget

from .buckets import Buckets
from .content import Rules
from .engine import Engine
from .metainfo import Metainfo
from .settings import PEER_ID_PREFIX, Settings
from .shared import Shared
from .source import load
from .torrent import Torrent
from .web import Web
from .wishes import Wishes

if TYPE_CHECKING:
    from trio_torrent.net.dht import Dht

_PEER_ID_LETTERS = string.ascii_letters + string.digits


class Client:
    """Downloads and serves torrents. Made by `open_client`."""

    def __init__(self, nursery: trio.Nursery, shared: Shared, dht: Dht | None) -> None:
        self._nursery = nursery
        self._shared = shared
        self._dht = dht
        self._torrents: dict[Engine, Torrent] = {}  # in the order in which they were added
        self._engines: dict[bytes, Engine] = {}  # by each 20-byte name
        self._closed = False

    def __repr__(self) -> str:
        return f"<Client on port {self.port} with {len(self.torrents)} torrents>"

    @property
    def port(self) -> int:
        """Where peers reach us, TCP."""
        return self._shared.port

    @property
    def peer_id(self) -> bytes:
        """The 20 bytes by which peers know us (BEP 20)."""
        return self._shared.peer_id

    @property
    def external(self) -> tuple[str, ...]:
        """The IP addresses at which others see us, at most one of each family; none until enough of them agree.

        Peers, trackers and the DHT tell, and none of them is believed alone.
        """
        return tuple(address.host for address in self._shared.mirror.addresses)

    @property
    def torrents(self) -> tuple[Torrent, ...]:
        """All that were added, in that order."""
        return tuple(self._torrents.values())

    @property
    def dht(self) -> Dht | None:
        """The DHT, to look for what no torrent of ours is about; None if it is off, or cannot be."""
        return self._dht

    @property
    def unexpected(self) -> int:
        """Exceptions that nobody foresaw, each of them a bug of ours. The log has them."""
        return self._shared.boundary.unexpected

    async def add(
        self,
        source: str | os.PathLike[str] | bytes | Metainfo | Magnet,
        *,
        save_path: str | os.PathLike[str] = ".",
        peers: Iterable[Address] = (),
        download: bool = True,
        select: str | Iterable[str | int] | None = None,
        sequential: bool = False,
        trust_record: bool = True,
        overwrite: bool = False,
        limit_down: int | None = None,
        limit_up: int | None = None,
    ) -> Torrent:
        """Start a torrent: from a .torrent's path, URL or bytes, a `Metainfo`, a magnet link or an info-hash.

        By one of the last two, peers must tell first what there is: `Torrent.wait_metadata`. Its files are under
        `save_path`; `peers` are connected to at once. Without `download` it is only served: if its files are not
        complete it fails with IncompleteError, and nothing is written. `select` is what to download, as for
        `Torrent.select`; `sequential` asks for the first pieces first. Without `trust_record`, all data is checked even
        if a record of the last run says what is good. With `overwrite`, a file of others that is in a file's place is
        written over. The limits are bytes a second for this torrent; None is no limit but the client's. A torrent that
        is here already is returned as it is and takes the peers, unless it has failed or was stopped: then it is
        started anew.

        Raises MetainfoError or MagnetError if it cannot be used, TrackerError if its URL cannot be fetched, OSError if
        its file cannot be read, StorageError if there are no descriptors left to load what it needs, ValueError for a
        limit below 1 or a selection that means no file, RuntimeError once the client is closed.
        """
        self._check_open()
        found = await load(source, self._shared.http)
        self._check_open()
        known = self._known(found)
        if known is not None and not known.course.is_stopped:
            known.add_peers([*peers, *(found.peers if isinstance(found, Magnet) else ())])
            return self._torrents[known]
        engine = Engine(
            found,
            Path(save_path),
            self._shared,
            peers,
            rules=Rules(
                download=download,
                trust=trust_record,
                overwrite=overwrite,
                allocation=self._shared.settings.allocation,
            ),
            wishes=Wishes(select=select, sequential=sequential, limit_down=limit_down, limit_up=limit_up),
            learned=self._name,
        )
        if known is not None:
            self._forget(known)
        return self._start(engine)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the client is closed; a torrent lives only within its `async with` block")

    def _start(self, engine: Engine) -> Torrent:
        torrent = self._torrents[engine] = Torrent(engine, partial(self._forget, engine))
        self._engines.update(dict.fromkeys(engine.info_hashes.all_wire, engine))
        self._nursery.start_soon(engine.run)
        return torrent

    def _forget(self, engine: Engine) -> None:
        self._torrents.pop(engine, None)
        self._engines = {name: known for name, known in self._engines.items() if known is not engine}

    def _known(self, found: Metainfo | Magnet) -> Engine | None:
        return next((self._engines[name] for name in found.info_hashes.all_wire if name in self._engines), None)

    def _name(self, engine: Engine) -> None:
        """The link to a hybrid may have named it by one of its names only."""
        for name in engine.info_hashes.all_wire:
            self._engines.setdefault(name, engine)

    def set_limits(self, *, down: int | EllipsisType | None = ..., up: int | EllipsisType | None = ...) -> None:
        """Bytes a second for all torrents together, from now on; None is no limit.

        What is not given stays as it is. ValueError below 1.
        """
        self._shared.buckets.change(down, up, trio.current_time())

    def find(self, info_hash: bytes) -> Welcome | None:
        """Who welcomes peers for this torrent."""
        engine = self._engines.get(info_hash)
        return engine.welcome() if engine is not None else None

    def names(self) -> list[bytes]:
        """The info-hashes of all torrents that neighbours may be told of."""
        return [name for engine in self._torrents for name in engine.names]

    def meet(self, source: str, info_hash: bytes, address: Address) -> None:
        """Somebody has this torrent, says this source."""
        if (engine := self._engines.get(info_hash)) is not None:
            engine.meet(address, source)

    async def stop(self) -> None:
        """Stop every torrent, all at once, and take no more."""
        self._closed = True
        async with trio.open_nursery() as nursery:
            for engine in self._torrents:
                nursery.start_soon(engine.stop)


@asynccontextmanager
async def open_client(settings: Settings | None = None) -> AsyncIterator[Client]:
    """A client for the length of the block.

    Leaving the block, by whatever way, tells the trackers and stops everything within `settings.stop_seconds`. As from
    every nursery, an exception of the block comes out inside an ExceptionGroup. OSError, as it is, if the interface is
    not ours.
    """
    settings = settings or Settings()
    random, boundary = Random(secrets.randbits(128)), Boundary()
    async with (
        _listening(settings) as listeners,  # first, so that a problem here comes out as it is
        open_workers(settings.threads) as workers,
        open_workers(1) as writers,
        open_workers(1) as syncers,
        _dht(settings, port_of(listeners), workers, boundary) as dht,
        trio.open_nursery() as nursery,
    ):
        records = (
            Records(settings.state_folder, writers, syncers, boot_id()) if settings.state_folder is not None else None
        )
        client = _start(nursery, settings, workers, records, dht, listeners, boundary, random)
        try:
            yield client
        finally:
            with trio.move_on_after(settings.stop_seconds, shield=True):
                await client.stop()
            nursery.cancel_scope.cancel()


def _start(
    nursery: trio.Nursery,
    settings: Settings,
    workers: Workers,
    records: Records | None,
    dht: Dht | None,
    listeners: list[trio.SocketListener],
    boundary: Boundary,
    random: Random,
) -> Client:
    places = Places(Budget.within(most_descriptors(), settings.connections_in_all))
    web = Web(settings, random)
    shared = Shared(
        settings=settings,
        workers=workers,
        records=records,
        http=web,
        lanes=web.lanes,
        trackers=web.trackers,
        dht=dht,
        connect=partial(dial, interface=settings.interface),
        peer_id=make_peer_id(random),
        port=port_of(listeners),
        boundary=boundary,
        random=random,
        places=places,
        mirror=_mirror(settings, port_of(listeners)),
        own=own_addresses(listeners),
        buckets=Buckets.of(settings.limit_down, settings.limit_up, trio.current_time()),
    )
    client = Client(nursery, shared, dht)
    if settings.lsd:
        from .lsd import look_around

        look_around(
            nursery,
            client.port,
            client.names,
            client.meet,
            interface=settings.interface,
            boundary=boundary,
            random=random,
        )
    reception = Reception(client.find, boundary, pending=places.budget.pending)
    for listener in listeners:
        nursery.start_soon(partial(reception.serve, listener))
    return client


def _dht(
    settings: Settings, port: int, workers: Workers, boundary: Boundary
) -> AbstractAsyncContextManager[Dht | None]:
    if not settings.dht:
        return nullcontext()
    from .dht import open_dht

    return open_dht(settings, port, workers, boundary)


@asynccontextmanager
async def _listening(settings: Settings) -> AsyncIterator[list[trio.SocketListener]]:
    """Those who serve close them; but it may be over before they begin."""
    listeners = await _listen(settings)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.socket.close()


async def _listen(settings: Settings) -> list[trio.SocketListener]:
    try:
        return await open_listeners(settings.port, interface=settings.interface)
    except OSError:
        if not settings.port:
            raise
        return await open_listeners(0, interface=settings.interface)


def _mirror(settings: Settings, port: int) -> Mirror:
    """A public address of this very machine needs nobody's word."""
    interface = settings.interface
    return Mirror(port, () if interface is None or is_local(interface) else (Address(interface, port),))


def make_peer_id(random: Random) -> bytes:
    """Twenty bytes that say which client we are, and which one of its kind (BEP 20)."""
    return (PEER_ID_PREFIX + "".join(random.choices(_PEER_ID_LETTERS, k=20 - len(PEER_ID_PREFIX)))).encode()
