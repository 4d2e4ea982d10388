"""One connected peer: a reader and a writer, under one roof.

The reader turns what comes into events. The writer sends blocks, and says in between what could not be said at once.
Neither decides anything: the methods that are not async carry out the scheduler's commands without waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import trio

from trio_torrent.errors import PeerError, ProtocolError, StorageError
from trio_torrent.swarm.events import Event, HashesServed, Left, PeerId, Received, Served
from trio_torrent.wire.codec import encode, encode_all
from trio_torrent.wire.connection import Connection
from trio_torrent.wire.messages import Cancel, Extended, Hashes, Heard, Message, Reject, Request
from trio_torrent.wire.ut_metadata import MetadataData, encode_metadata

from .backlog import Backlog
from .boundary import Boundary
from .dial import in_words
from .inbox import post
from .receive import receiver
from .throttle import Throttle
from .transmit import sender, sender_at_once

ReadBlocks = Callable[[Sequence[Request]], Awaitable[bytes | bytearray]]
"""The `piece` messages that answer the requests, end to end. Raises StorageError."""

ReadHashes = Callable[[], Awaitable[Hashes]]
"""The answer to a request for hashes. Raises StorageError."""

# Messages that may wait to be said to a peer, some 150 bytes each. In ordinary life it is a handful, and a choke may
# refuse 2000 requests at once; a peer that lets more pile up does not read.
MOST_UNSAID = 4096

# A send that takes so long will not end: the other side reads nothing, but its keep-alives would keep it here, with its
# slot and our memory (libtorrent's `peer_timeout`).
STUCK_SECONDS = 120.0


class PeerConnection:
    """The tasks of one peer, and what they are told to do."""

    def __init__(
        self,
        peer: PeerId,
        stream: trio.abc.Stream,
        connection: Connection,
        *,
        fast: bool,
        read_blocks: ReadBlocks,
        throttle: Throttle,
        boundary: Boundary,
    ) -> None:
        self.id = peer
        self._stream = stream
        self._transmit = sender(stream, STUCK_SECONDS)
        self._transmit_at_once = sender_at_once(stream)
        self._connection = connection
        self._fast = fast
        self._read_blocks = read_blocks
        self._boundary = boundary
        self._say, self._unsaid = trio.open_memory_channel[Sequence[Message]](MOST_UNSAID)
        self._waiting = 0  # messages in it
        self._writing = False  # so that what is said now must wait
        self._unsent = b""  # what the system did not take at once, to be sent before anything else
        self._asks = 0
        self._throttle = throttle
        self._backlog = Backlog(throttle, self._wake_writer)
        self._hash_requests: deque[ReadHashes] = deque()  # theirs, in the order in which they came
        self._metadata: deque[tuple[int, MetadataData]] = deque()  # as many as the scheduler lets them have
        self._scope = trio.CancelScope()
        self._reason = "closed the connection"

    @property
    def reason(self) -> str:
        """Why it ended, in words."""
        return self._reason

    # -- commands ----------------------------------------------------------------------------------------------------

    def send(self, messages: Sequence[Message]) -> None:
        """Say these: at once if that is possible, since the writer would have to be woken for it."""
        if messages and not (self._writing or self._waiting):
            data = encode_all(messages)
            self._unsent = data[self._transmit_at_once(data) :]
            if not self._unsent:
                return
            messages = ()
        self._waiting += max(1, len(messages))  # one entry may hold thousands of rejects
        if self._waiting > MOST_UNSAID:
            self.drop("does not read what we say")
        else:
            self._say.send_nowait(messages)

    def ask(self, requests: Sequence[Request], place: Callable[[Request], memoryview] | None) -> None:
        """Request blocks, for the places given; without any they come with data of their own."""
        self._asks += 1
        if place is not None:
            self._connection.expect(requests, place)
        self.send(requests)

    def withdraw(self, requests: Sequence[Request], *, tell: bool = True) -> None:
        """Take back requests and their places, and cancel them unless the peer knows."""
        for request in requests:
            self._connection.forget(request)
        if tell:
            self.send([Cancel(request.piece, request.offset, request.length) for request in requests])

    def serve(self, requests: Sequence[Request]) -> None:
        """Send these blocks, after those that wait."""
        self._backlog.add(requests)
        self._wake_writer()

    def unserve(self, requests: Sequence[Request] | None) -> None:
        """Do not send these blocks, or any. With the fast extension each gets its reject (BEP 6)."""
        removed = self._backlog.remove(requests)
        if self._fast and removed:
            self.send([Reject(request.piece, request.offset, request.length) for request in removed])

    def serve_hashes(self, read: ReadHashes) -> None:
        """Send hashes, to be read when it is their turn. Of equal requests each has its answer: some peers count."""
        self._hash_requests.append(read)
        self._wake_writer()

    def serve_metadata(self, number: int, data: MetadataData) -> None:
        """Send a piece of the info dictionary, which is copied only when it is its turn."""
        self._metadata.append((number, data))
        self._wake_writer()

    def know(self, pieces: int) -> None:
        """The torrent has so many pieces, which was not known before."""
        self._connection.know(pieces)

    def drop(self, reason: str, *, for_good: bool = False) -> None:
        """End the connection. From here on, nothing of it lands anywhere. Whom not to dial again is known."""
        self._reason = reason
        self._connection.forget_all()
        self._scope.cancel()

    def _wake_writer(self) -> None:
        self.send(())

    # -- tasks -------------------------------------------------------------------------------------------------------

    async def run(self, inbox: trio.MemorySendChannel[Event], early: bytes = b"") -> None:
        """Talk, until either side ends it; then say so. `early` is what came behind the handshake."""
        try:
            with self._scope, self._boundary.guard("a peer's connection"):
                await self._talk(inbox, early)
        finally:
            self._connection.forget_all()
            self._backlog.close()
            await trio.aclose_forcefully(self._stream)
        await inbox.send(Left(self.id, self._reason))

    async def _talk(self, inbox: trio.MemorySendChannel[Event], early: bytes) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, inbox)
                await self._read(inbox, early)
                nursery.cancel_scope.cancel()
        except* (ProtocolError, PeerError, StorageError) as group:
            self._reason = str(_first(group))
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as group:
            self._reason = in_words(_first(group))

    async def _read(self, inbox: trio.MemorySendChannel[Event], early: bytes) -> None:
        messages: tuple[Heard, ...] | None = self._connection.receive(early) if early else ()
        receive = receiver(self._stream, self._connection)
        while messages is not None:
            if messages:
                await post(inbox, Received(self.id, messages, self._asks))
            messages = await receive()

    async def _write(self, inbox: trio.MemorySendChannel[Event]) -> None:
        async for messages in self._unsaid:
            self._writing = True
            await self._speak(messages)
            while (batch := self._backlog.next_batch()) or self._hash_requests or self._metadata:
                if batch:
                    await self._send_blocks(batch, inbox)
                if self._hash_requests:
                    await self._send_hashes(inbox)
                if self._metadata:
                    await self._send_metadata()
                await self._speak(())
            self._writing = False

    async def _speak(self, messages: Sequence[Message]) -> None:
        """Say these and whatever else waits to be said, in one go."""
        batch = list(messages)
        try:
            while True:
                batch += self._unsaid.receive_nowait()
        except trio.WouldBlock:
            pass
        self._waiting = 0
        data, self._unsent = self._unsent + encode_all(batch), b""
        if data:
            await self._send(data)

    async def _send_blocks(self, batch: tuple[Request, ...], inbox: trio.MemorySendChannel[Event]) -> None:
        blocks = await self._read_blocks(batch)
        start = trio.current_time()
        await self._send(blocks)
        self._backlog.sent(trio.current_time() - start)
        await post(inbox, Served(self.id, batch))

    async def _send(self, data: bytes | bytearray) -> None:
        try:
            await self._transmit(data)
        except trio.TooSlowError:
            raise PeerError("does not read what we send") from None

    async def _send_hashes(self, inbox: trio.MemorySendChannel[Event]) -> None:
        """One answer at a time, so that who does not read has no more than one in our memory. Blocks wait for what
        hashes cost under a limit, and hashes for nothing: they are few, and others cannot go on without them.
        """
        answer = encode(await self._hash_requests.popleft()())
        self._throttle.take(len(answer))
        await self._send(answer)
        await inbox.send(HashesServed(self.id))

    async def _send_metadata(self) -> None:
        number, data = self._metadata.popleft()
        answer = encode(Extended(number, encode_metadata(data)))
        self._throttle.take(len(answer))
        await self._send(answer)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
