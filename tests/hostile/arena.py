"""One case, played: our torrent, an honest peer, a bad one, and what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import attrs
import trio

from tests.simnet import Host, Node, join
from trio_torrent.address import Address
from trio_torrent.client.events import DialRefused, PeerGone
from trio_torrent.net.boundary import Boundary
from trio_torrent.net.listen import Reception, Welcome
from trio_torrent.wire import messages as wire

from .case import Case, Have, Side
from .road import Door, Road
from .scenery import HONEST, HONEST_ID, HONEST_RATE, PAYLOAD, US, VILLAIN, Honest, torrent_of
from .villain import Knowledge, Villain

LONGEST_SCRIPT = 1000  # virtual seconds
FIRST_PORT = 50_000  # of those from which a bad peer comes to us


@attrs.define
class Played:
    """What came of it; times are in virtual seconds since the bad peer's connection began."""

    finished: float | None = None  # when the script had been played to its end
    shut: float | None = None  # when the bad peer saw its connection end
    gone: list[tuple[float, str]] = attrs.field(factory=list)  # when and why connections of the bad host ended
    refused: list[tuple[float, str]] = attrs.field(factory=list)  # and dials came to nothing
    honest_gone: list[str] = attrs.field(factory=list)
    heard: list[wire.Message] = attrs.field(factory=list)  # by the bad peer
    dials: int = 0  # how often we dialled the bad peer


class Arena:
    """The world of one case."""

    def __init__(self, case: Case, side: Side, fast: bool, nursery: trio.Nursery, save_path: Path) -> None:
        self.case = case
        self.side = side
        self.fast = fast
        self.metainfo = torrent_of(case.piece_length)
        self.played = Played()
        self.settled = trio.Event()  # the honest peer has what it wanted, or we have
        self.ended = trio.Event()  # the script has been played, or the bad peer was shut out
        self.boundary = Boundary()
        self._nursery = nursery
        self._save_path = save_path
        self._ports = count(FIRST_PORT)
        self._our_id = b""
        self._started = trio.current_time()
        self._network = Road(nursery)
        self.node = self._open()

    # -- the scenery -------------------------------------------------------------------------------------------------

    def _open(self) -> Node:
        self._network.listen(Host(HONEST, up=HONEST_RATE), self._honest)
        if self.side is Side.DIALLED:
            self._network.listen(Host(VILLAIN), self._dialled)
        self._write_what_we_have()
        node = join(self._network, self._nursery, Host(US), self.metainfo, self._save_path, peers=[HONEST])
        door = Door()
        self._network.listen(node.host, door.arrive)
        self._nursery.start_soon(door.serve, Reception(self._find, self.boundary))
        return node

    def _write_what_we_have(self) -> None:
        half = len(PAYLOAD) // 2 // self.case.piece_length * self.case.piece_length
        size = {Have.NOTHING: 0, Have.HALF: half, Have.ALL: len(PAYLOAD)}[self.case.have]
        if size:
            (self._save_path / self.metainfo.name).write_bytes(PAYLOAD[:size] + bytes(len(PAYLOAD) - size))

    def _find(self, info_hash: bytes) -> Welcome | None:
        return self.node.engine.welcome() if info_hash == self.metainfo.info_hashes.wire else None

    async def run(self) -> None:
        """Play the case, up to where nothing is left to happen."""
        await self._nursery.start(self._watch)
        self._nursery.start_soon(self._incoming if self.side is Side.INCOMING else self._named)
        with trio.fail_after(self.case.seconds):
            if self.case.have is not Have.ALL:
                await self.node.torrent.wait_complete()
                self.settled.set()
            await self.settled.wait()
        with trio.fail_after(LONGEST_SCRIPT):
            await self.ended.wait()

    def bytes_are_right(self) -> bool:
        """What we have in our files is the payload."""
        return (self._save_path / self.metainfo.name).read_bytes() == PAYLOAD

    # -- the honest peer ---------------------------------------------------------------------------------------------

    async def _honest(self, stream: trio.abc.Stream, address: Address) -> None:
        peer = Honest(stream, self.metainfo, PAYLOAD, name=HONEST_ID, fast=False)
        async with stream:
            self._our_id = (await peer.shake_hands()).peer_id
            if self.case.have is Have.ALL:
                await peer.take()
                self.settled.set()
                await trio.sleep_forever()
            with suppress(trio.BrokenResourceError):  # when we have everything, too, and have parted
                await peer.give()

    # -- the bad one -------------------------------------------------------------------------------------------------

    def _villain(self, stream: trio.abc.Stream, *, dialled: bool) -> Villain:
        knows = Knowledge(lambda: self._our_id, self._visit)
        return Villain(stream, self.metainfo, knows=knows, fast=self.fast, dialled=dialled)

    async def _connect(self) -> trio.abc.Stream:
        host = Host(attrs.evolve(VILLAIN, port=next(self._ports)))
        return await self._network.connect_from(host)(US)

    async def _visit(self) -> Villain:
        return self._villain(await self._connect(), dialled=False)

    async def _incoming(self) -> None:
        await self.node.torrent.wait_checked()
        await self._play(self._villain(await self._connect(), dialled=False))

    async def _named(self) -> None:
        """Not by the user, whose own are called again soon if they refuse."""
        await self.node.torrent.wait_checked()
        self.node.engine.meet(VILLAIN, "a stranger")

    async def _dialled(self, stream: trio.abc.Stream, address: Address) -> None:
        self.played.dials += 1
        if self.played.dials == 1:
            await self._play(self._villain(stream, dialled=True))
        else:
            await stream.aclose()

    async def _play(self, peer: Villain) -> None:
        self._started = trio.current_time()
        self.played.heard = peer.heard
        async with peer.stream:
            try:
                if self.case.greets:
                    await peer.greet()
                await self.case.script(peer)
                self.played.finished = self._now()
                self.ended.set()
                await peer.ignore()
            except* (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
                pass  # we have shut it out, or it has left
        self.played.shut = self._now()
        self.ended.set()

    async def is_let_in_again(self) -> bool:
        """Whether the bad peer's address may come again."""
        before = len(self.played.gone)
        address = VILLAIN if self.side is Side.DIALLED else attrs.evolve(VILLAIN, port=FIRST_PORT)
        peer = self._villain(await self._network.connect_from(Host(address))(US), dialled=False)
        peer.ours = attrs.evolve(peer.ours, peer_id=b"-AGAIN--".ljust(20, b"-"))
        async with peer.stream:
            try:
                await peer.greet()
            except EOFError:
                return False  # the door is shut
            await peer.listen_for(1)
            return not any(reason == "banned" for _, reason in self.played.gone[before:])

    # -- what we say of it -------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return trio.current_time() - self._started

    async def _watch(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with self.node.torrent.events(buffer=10_000) as events:
            task_status.started()
            async for event in events:
                if isinstance(event, PeerGone | DialRefused):
                    self._note(event)

    def _note(self, event: PeerGone | DialRefused) -> None:
        if event.address == str(HONEST):
            self.played.honest_gone.append(event.reason)
        elif isinstance(event, PeerGone):
            self.played.gone.append((self._now(), event.reason))
        else:
            self.played.refused.append((self._now(), event.reason))


@asynccontextmanager
async def arena(case: Case, side: Side, fast: bool, save_path: Path) -> AsyncIterator[Arena]:
    """The world of one case, for as long as it is looked at."""
    async with trio.open_nursery() as nursery:
        yield Arena(case, side, fast, nursery, save_path)
        nursery.cancel_scope.cancel()
