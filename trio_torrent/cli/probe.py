"""`probe`: the guided tour of the protocol, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias

import attrs
import trio

import trio_torrent
from trio_torrent import Address, Found, Metainfo, Probed, Reached, Settings, Step

from .exits import CommandError, Exit
from .source import load
from .words import clean, hex_start, readable


@attrs.frozen
class Block:
    """Which bytes."""

    piece: int
    offset: int  # bytes from the start of the piece
    length: int  # bytes


@attrs.frozen
class Request:
    """What was asked for. Without peers, the trackers are asked."""

    block: Block
    sample: Path | None = None
    peers: tuple[Address, ...] = ()
    interface: str | None = None
    proxy: str | None = None


Report: TypeAlias = Step | Found | Reached | Probed

_STEPS = {
    Step.PROBING: "* Probing peers...",
    Step.SAYING_INTERESTED: "* Sending `interested` message",
    Step.WAITING_FOR_UNCHOKE: "* Receiving `unchoke` message",
    Step.REQUESTING: "* Unchoked, requesting data block",
    Step.WAITING_FOR_PIECE: "* Receiving `piece` message",
}


async def probe(source: str, request: Request, interrupt: trio.CancelScope, *, as_json: bool) -> Exit:
    """Take the tour. Raises CommandError, TrackerError, PeerError or ProtocolError where it ends early."""
    code = Exit.INTERRUPTED
    with interrupt:
        metainfo = await load(source, proxy=request.proxy)
        block = request.block
        sample = None
        if request.sample is not None:
            at = metainfo.geometry.piece_start(block.piece) + block.offset
            sample = await trio.to_thread.run_sync(read_sample, request.sample, at, block.length)
        guide = Guide(metainfo, as_json=as_json)
        guide.begin()
        code = guide.compare(await _tour(metainfo, request, guide), sample)
    return code


async def _tour(metainfo: Metainfo, request: Request, guide: Guide) -> bytes:
    settings = Settings(interface=request.interface, proxy=request.proxy)
    where = attrs.asdict(request.block)
    try:
        probed = await trio_torrent.probe(
            metainfo, **where, peers=request.peers, settings=settings, report=guide.report
        )
    except ValueError as error:
        raise CommandError(Exit.USAGE, str(error)) from error
    assert probed.block is not None  # it is what the tour is for
    data = bytes(probed.block.data)
    guide.received(request.block, data)
    return data


def read_sample(path: Path, at: int, length: int) -> bytes:
    """What the block should be. The file holds the torrent's content from its start, or else just the block.

    Raises CommandError if it has no such bytes, OSError if it cannot be read.
    """
    with path.open("rb") as file:
        if path.stat().st_size != length:
            file.seek(at)
        sample = file.read(length)
    if len(sample) < length:
        raise CommandError(Exit.USAGE, f"{path} has no {length} bytes at {at} to compare with")
    return sample


class Guide:
    """Prints what is seen on the way: in words, or as JSON with an `event` in each line."""

    def __init__(self, metainfo: Metainfo, *, as_json: bool) -> None:
        self._metainfo = metainfo
        self._announced = next((url for tier in metainfo.trackers for url in tier), None)
        self._as_json = as_json

    def begin(self) -> None:
        """The torrent."""
        pieces, length = self._metainfo.geometry.pieces, self._metainfo.geometry.piece_length
        self._event("torrent", name=self._metainfo.name, pieces=pieces, piece_length=length)
        self._say(f"* Total pieces {pieces}, piece length {length}")

    def report(self, seen: Report) -> None:
        """A step of the way."""
        match seen:
            case Step():
                self._step(seen)
            case Found(peers, tracker):
                self._event("found", peers=peers, tracker=tracker)
                if tracker not in (None, self._announced):
                    self._say(f"* Your announce url is: {tracker}")
                self._say(f"* Total {peers} peers")
            case Reached():
                self._reached(seen)
            case Probed(address, _, have):
                bits = bytes(have)
                self._event("bitfield", address=str(address), have=have.count, bitfield=bits.hex())
                self._say(f"* Received bitfield: {hex_start(bits)}")

    def received(self, block: Block, data: bytes) -> None:
        """The block."""
        self._event("block", **attrs.asdict(block), data=data.hex())
        self._say(f"* Received block of piece {block.piece} at offset {block.offset}: {hex_start(data)}")

    def compare(self, data: bytes, sample: bytes | None) -> Exit:
        """With what it should be, if that is known."""
        if sample is None:
            return Exit.DONE
        matches = data == sample
        self._event("sample", matches=matches)
        self._say(f"* RECEIVED BLOCK {'MATCHES' if matches else 'DIFFERS FROM'} SAMPLE DATA")
        return Exit.DONE if matches else Exit.UNVERIFIED

    def _step(self, step: Step) -> None:
        self._event(step.name.lower().replace("_", "-"))
        if step is not Step.ANNOUNCING:
            self._say(_STEPS[step])
        elif self._announced is not None:  # said before the answer, which may take half a minute
            self._say(f"* Your announce url is: {self._announced}")

    def _reached(self, reached: Reached) -> None:
        if reached.peer_id is None:
            self._event("peer", address=str(reached.address), peer_id=None, error=reached.reason)
            self._say(f"{reached.address}\t-> Err({reached.reason})")
            return
        peer_id = readable(reached.peer_id)
        self._event("peer", address=str(reached.address), peer_id=peer_id, error=None)
        self._say(f'{reached.address}\t-> OK("{peer_id}")')
        self._say(f"* Connected to peer: {reached.address}")

    def _event(self, event: str, **fields: object) -> None:
        if self._as_json:
            print(json.dumps({"event": event, **fields}), flush=True)

    def _say(self, line: str) -> None:
        if not self._as_json:
            print("\t".join(clean(part) for part in line.split("\t", 1)), flush=True)
