"""`dht`: questions to the DHT that are about no torrent of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import attrs
import trio

from trio_torrent import Address, Dht, DhtStatus, Magnet, open_client

from .exits import CommandError, Exit, leaves
from .voice import Voice
from .wishes import Network
from .words import plural

CALM_SECONDS = 2.0  # without a new node, after which the table is as full as it gets for now
LOOK_SECONDS = 0.1  # between looks at it

TARGET_LENGTH = 20  # bytes


@attrs.frozen
class Inquiry:
    """How to ask, and for how long."""

    network: Network
    seconds: float


@asynccontextmanager
async def _asking(inquiry: Inquiry) -> AsyncIterator[Dht]:
    """The DHT, for the block or until the time is over."""
    async with open_client(inquiry.network.settings()) as client:
        if client.dht is None:
            raise CommandError(Exit.USAGE, "there is no way into the DHT from here; name one with --dht-router")
        with trio.move_on_after(inquiry.seconds):
            yield client.dht


def _silence(dht: Dht, seconds: float) -> CommandError:
    known = plural(dht.status.nodes, "node")
    return CommandError(Exit.STALLED, f"no answer within {seconds:g} s; the DHT here knows {known}")


# -- peers -------------------------------------------------------------------------------------------------------------


class Crowd:
    """Prints each peer once, however many nodes and families name it."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._seen: set[Address] = set()
        self.nodes = 0  # that have answered

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, addresses: Iterable[Address]) -> None:
        """These were named."""
        for address in addresses:
            if address not in self._seen:
                self._seen.add(address)
                self._voice.emit("peer", address=str(address))
                self._voice.tell(str(address))


async def lookup(name: str, inquiry: Inquiry, voice: Voice, interrupt: trio.CancelScope) -> Exit:
    """Print the peers of a torrent. Raises MagnetError for a name that is none, CommandError if nobody is found."""
    names = Magnet.parse(name).info_hashes.all_wire
    crowd, code = Crowd(voice), Exit.INTERRUPTED
    with interrupt:
        async with _asking(inquiry) as dht, trio.open_nursery() as nursery:
            for info_hash in names:
                nursery.start_soon(_look, dht, info_hash, crowd)
        code = _found(crowd, voice)
    return code


async def _look(dht: Dht, info_hash: bytes, crowd: Crowd) -> None:
    async with dht.lookup(info_hash) as finding:
        try:
            async for addresses in finding:
                crowd.add(addresses)
        finally:
            crowd.nodes += finding.answered


def _found(crowd: Crowd, voice: Voice) -> Exit:
    answered = f"{plural(crowd.nodes, 'node')} answered"
    if not len(crowd):
        raise CommandError(Exit.STALLED, f"nobody was found; {answered}")
    voice.emit("done", peers=len(crowd), nodes=crowd.nodes)
    voice.say(f"{plural(len(crowd), 'peer')}, {answered}")
    return Exit.DONE


# -- the network -------------------------------------------------------------------------------------------------------


async def status(inquiry: Inquiry, voice: Voice, interrupt: trio.CancelScope) -> Exit:
    """Show how it stands once no more nodes come. Raises CommandError if there are none."""
    code = Exit.INTERRUPTED
    with interrupt:
        async with _asking(inquiry) as dht:
            port = dht.port
            await _settled(dht)
        _show(port, dht.status, voice)
        if not dht.status.nodes:
            raise _silence(dht, inquiry.seconds)
        code = Exit.DONE
    return code


async def _settled(dht: Dht) -> None:
    nodes, since = 0, trio.current_time()
    while not nodes or trio.current_time() - since < CALM_SECONDS:
        await trio.sleep(LOOK_SECONDS)
        if dht.status.nodes != nodes:
            nodes, since = dht.status.nodes, trio.current_time()


def _show(port: int, status: DhtStatus, voice: Voice) -> None:
    families = {family.name: node for family, node in status.families.items()}
    voice.emit(
        "status",
        port=port,
        families={
            name.lower(): {"id": node.id.hex(), "nodes": node.nodes, "good": node.good, "external": node.external}
            for name, node in families.items()
        },
    )
    voice.tell(f"UDP port {port}")
    for name, node in families.items():
        seen = f"others see us at {node.external}" if node.external else "nobody says how they see us"
        known = f"{plural(node.nodes, 'node')}, {node.good} of them good"
        voice.tell(f"{name.replace('V', 'v')}: {known}; {seen}; our id {node.id.hex()}")


# -- values ------------------------------------------------------------------------------------------------------------


async def get(target: str, inquiry: Inquiry, voice: Voice, interrupt: trio.CancelScope) -> Exit:
    """Print a value. Raises CommandError if nobody has it."""
    digest, code = read_target(target), Exit.INTERRUPTED
    with interrupt:
        value = None
        async with _asking(inquiry) as dht:
            value = await dht.get(digest)
        if value is None:
            raise CommandError(Exit.STALLED, f"nobody has a value for {target}")
        voice.emit("value", target=digest.hex(), value=readable(value))
        voice.tell(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else f"{readable(value)}")
        code = Exit.DONE
    return code


async def put(text: str, inquiry: Inquiry, voice: Voice, interrupt: trio.CancelScope) -> Exit:
    """Store a text. Raises CommandError if it is too long, DhtError or CommandError if nobody takes it."""
    code = Exit.INTERRUPTED
    with interrupt:
        target = None
        try:
            async with _asking(inquiry) as dht:
                target = await dht.put(text.encode("utf-8", "surrogateescape"))
        except* ValueError as errors:
            raise CommandError(Exit.USAGE, str(next(leaves(errors)))) from errors
        if target is None:
            raise _silence(dht, inquiry.seconds)
        voice.emit("stored", target=target.hex())
        voice.tell(target.hex())
        code = Exit.DONE
    return code


def read_target(text: str) -> bytes:
    """The hash that a value is found under. Raises CommandError."""
    try:
        target = bytes.fromhex(text)
    except ValueError:
        target = b""
    if len(target) != TARGET_LENGTH:
        raise CommandError(Exit.USAGE, f"{text!r:.80} is not a target: 40 hex digits")
    return target


def readable(value: object) -> object:
    """What bencode holds, as JSON can have it."""
    match value:
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case list():
            return [readable(item) for item in value]
        case dict():
            return {str(readable(key)): readable(item) for key, item in value.items()}
        case _:
            return value
