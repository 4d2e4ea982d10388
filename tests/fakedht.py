"""A DHT that says what it is told to, in the time that it is told to take."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from trio_torrent.address import Address


@attrs.frozen
class Asked:
    """One lookup."""

    at: float
    name: bytes
    port: int | None
    seed: bool
    noseed: bool


@attrs.define
class FakeFindings:
    """Batches, with a pause before each."""

    batches: tuple[tuple[Address, ...], ...]
    answered: int
    announced_to: int
    pause: float

    async def __aiter__(self) -> AsyncIterator[tuple[Address, ...]]:
        for batch in self.batches:
            await trio.sleep(self.pause)
            yield batch
        await trio.sleep(self.pause)


@attrs.define(eq=False)
class FakeDht:
    """What a torrent sees of the DHT."""

    batches: tuple[tuple[Address, ...], ...] = ()
    nodes: int = 8  # answer, and take the announce
    pause: float = 1.0
    port: int = 7000
    asked: list[Asked] = attrs.field(factory=list)
    told: Counter[Address] = attrs.field(factory=Counter)
    under_way: int = 0
    broken: bool = False
    external: tuple[str, ...] = ()  # where its nodes see us
    known: trio.Event = attrs.field(factory=trio.Event)

    @property
    def ready(self) -> bool:
        return self.known.is_set()

    @asynccontextmanager
    async def lookup(
        self, info_hash: bytes, *, announce: int | None = None, seed: bool = False, noseed: bool = False
    ) -> AsyncIterator[FakeFindings]:
        self.asked.append(Asked(trio.current_time(), info_hash, announce, seed, noseed))
        await self.known.wait()
        if self.broken:
            raise ZeroDivisionError
        self.under_way += 1
        try:
            yield FakeFindings(self.batches, self.nodes, self.nodes, self.pause)
        finally:
            self.under_way -= 1

    def add_node(self, address: Address) -> None:
        self.told[address] += 1


def known_dht(**what: object) -> FakeDht:
    """One that has somebody to ask."""
    dht = FakeDht(**what)  # type: ignore[arg-type]  # as it has them
    dht.known.set()
    return dht
