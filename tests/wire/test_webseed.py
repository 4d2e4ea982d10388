"""Blocks that become GETs, and bodies that become blocks."""

from collections.abc import Iterable
from random import Random

import pytest

from tests.metainfo.making import BLOCK, Contents, make_torrent
from trio_torrent.metainfo.infohash import Version
from trio_torrent.metainfo.torrent import Metainfo
from trio_torrent.wire.messages import Landed, Piece, Request
from trio_torrent.wire.web_answers import UnusableError, WebSeedError
from trio_torrent.wire.web_runs import MOST_BLOCKS, in_rows
from trio_torrent.wire.web_transfer import FORESEEN, Transfer
from trio_torrent.wire.web_urls import Files, Get, Source, Span
from trio_torrent.wire.webseed import LITTLE, MOST_REQUEST, MUCH, Orders

PIECE = 4 * BLOCK
DATA = Random(1).randbytes(8 * PIECE + 100)
FOLDER: Contents = {
    ("a",): DATA[: BLOCK + 5],
    ("b",): b"",
    ("c",): DATA[BLOCK + 5 : BLOCK + 9],
    ("d",): DATA[BLOCK + 9 :],
}


class World:
    """Orders for a torrent, places for its blocks, and the bytes that a server has."""

    def __init__(self, contents: Contents | None = None, version: Version = "1") -> None:
        self.contents: Contents = contents or {(): DATA}
        self.metainfo = Metainfo.from_bytes(make_torrent("n", self.contents, version, PIECE))
        self.orders = Orders(Files("http://h.example/", self.metainfo))
        self.buffer = bytearray(b"\xee" * (self.metainfo.geometry.span + PIECE))

    def request(self, piece: int, block: int) -> Request:
        return Request(piece, block * BLOCK, self.metainfo.geometry.block_size(piece, block))

    def place(self, request: Request) -> memoryview:
        start = request.piece * PIECE + request.offset
        return memoryview(self.buffer)[start : start + request.length]

    def expect(self, *blocks: tuple[int, int]) -> None:
        self.orders.expect([self.request(*block) for block in blocks], self.place)

    def expect_all(self) -> None:
        geometry = self.metainfo.geometry
        self.expect(
            *[(piece, block) for piece in range(geometry.pieces) for block in range(geometry.block_count(piece))]
        )

    def file(self, resource: int) -> bytes:
        raw = self.metainfo.files[resource].raw_path
        return self.contents[() if () in self.contents else tuple(name.decode() for name in raw)]

    def body(self, transfer: Transfer) -> bytes:
        return self.file(transfer.resource)[transfer.get.start : transfer.get.end]

    def finish(self, transfer: Transfer) -> list[tuple[int, int]]:
        self.orders.feed(transfer, self.body(transfer))
        self.orders.end(transfer)
        return keys(self.orders.taken())

    def run(self) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
        """Carry out every transfer, one after the other; the GETs, and the blocks in order."""
        gets: list[tuple[int, int, int]] = []
        blocks: list[tuple[int, int]] = []
        while (transfer := self.orders.next()) is not None:
            gets.append((transfer.resource, transfer.get.start, transfer.get.end))
            blocks += self.finish(transfer)
        return gets, blocks


def keys(told: Iterable[Landed | Piece]) -> list[tuple[int, int]]:
    blocks = [block for each in told for block in (each.requests if isinstance(each, Landed) else [each])]
    return [(block.piece, block.offset // BLOCK) for block in blocks]


def scatter(orders: Orders, transfer: Transfer, data: bytes) -> int:
    """Receive these as a socket would: as many of them as there are buffers for."""
    at = 0
    for buffer in transfer.buffers():
        part = data[at : at + len(buffer)]
        buffer[: len(part)] = part
        at += len(part)
    orders.received(transfer, at)
    return at


def take(world: World) -> Transfer:
    transfer = world.orders.next()
    assert transfer is not None
    return transfer


# -- blocks become GETs ----------------------------------------------------------------------------------------------


def test_blocks_in_a_row_are_one_get():
    world = World()
    world.expect((0, 1), (0, 2), (0, 3), (1, 0))
    assert world.run() == ([(0, BLOCK, 5 * BLOCK)], [(0, 1), (0, 2), (0, 3), (1, 0)])
    assert world.buffer[BLOCK : 5 * BLOCK] == DATA[BLOCK : 5 * BLOCK]
    assert world.buffer[5 * BLOCK] == world.buffer[0] == 0xEE


def test_the_order_of_asking_does_not_matter_but_for_which_run_is_first():
    world = World()
    world.expect((4, 0), (1, 0), (0, 3), (1, 1))
    assert world.run()[0] == [(0, 16 * BLOCK, 17 * BLOCK), (0, 4 * BLOCK, 6 * BLOCK), (0, 3 * BLOCK, 4 * BLOCK)]


def test_a_get_ends_with_its_file_and_a_block_needs_all_of_its_gets():
    world = World(FOLDER)
    world.expect((0, 0), (0, 1), (0, 2))
    gets, blocks = world.run()
    assert gets == [(0, 0, BLOCK + 5), (2, 0, 4), (3, 0, 2 * BLOCK - 9)]
    assert blocks == [(0, 0), (0, 1), (0, 2)]
    assert world.buffer[: 3 * BLOCK] == DATA[: 3 * BLOCK]


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
@pytest.mark.parametrize("contents", [{(): DATA}, FOLDER])
def test_everything_comes_whatever_the_shape(version, contents):
    world = World(contents, version)
    world.expect_all()
    _, blocks = world.run()
    geometry = world.metainfo.geometry
    assert sorted(blocks) == [(p, b) for p in range(geometry.pieces) for b in range(geometry.block_count(p))]
    for piece in range(geometry.pieces):
        start = piece * PIECE
        assert world.metainfo.piece_matches(piece, world.buffer[start : start + geometry.piece_size(piece)])


def test_padding_is_filled_in_without_a_get():
    world = World(FOLDER, "hybrid")
    world.expect((0, 1), (0, 2))
    gets, blocks = world.run()
    assert gets == [(0, BLOCK, BLOCK + 5)]
    assert sorted(blocks) == [(0, 1), (0, 2)]
    assert not any(world.buffer[BLOCK + 5 : 3 * BLOCK])


def test_a_get_is_for_no_more_than_16_mib():
    class Endless:
        """One file of a terabyte."""

        def spans(self, request: Request) -> list[Span]:
            return [Span(0, request.piece * PIECE + request.offset, request.length)]

        def get(self, resource: int, start: int, end: int) -> Get:
            return Get("http://h.example/", start, end, 1 << 40)

        def probe(self, piece: int) -> None:
            return None

        def size(self, resource: int) -> int:
            return 1 << 40

        def pieces_of(self, resource: int) -> range:
            return range(1)

    source: Source = Endless()
    orders = Orders(source)
    place = memoryview(bytearray(BLOCK))
    for block in range(2 * MOST_REQUEST // BLOCK):
        orders.expect((Request(block // 4, block % 4 * BLOCK, BLOCK),), lambda request: place)
    sizes = []
    while (transfer := orders.next()) is not None:
        sizes.append(transfer.missing)
    assert sizes == [MOST_REQUEST, MOST_REQUEST]
    assert not orders.are_due


@pytest.mark.parametrize("version", ["1"])
def test_the_next_get_waits_until_it_is_worth_its_price(version):
    blocks = (2 * MUCH + 2 * LITTLE) // BLOCK
    world = World({(): bytes(blocks * BLOCK)})
    all_blocks = [(block // 4, block % 4) for block in range(blocks)]
    first, second = MUCH // BLOCK, 2 * MUCH // BLOCK
    world.expect(*all_blocks[:first])
    assert not world.orders.may_grow  # it is for much
    transfer = take(world)
    world.expect(*all_blocks[first : second - 1])
    assert world.orders.next() is None  # nearly as much, but not as much as is on its way
    world.expect(all_blocks[second - 1])
    assert world.orders.are_due
    second_transfer = take(world)
    world.expect(*all_blocks[second:])
    assert world.orders.next() is None
    for each in (transfer, second_transfer):
        world.orders.feed(each, bytes(MUCH - LITTLE // 2))
    assert world.orders.are_due  # there is little left on its way, so it is time, but it may grow
    assert not world.orders.may_grow  # not this one: it reaches the end of the file


def test_a_get_for_little_may_grow_unless_its_file_ends():
    world = World({(): bytes(20 * BLOCK)})
    grows = [world.orders.may_grow]
    for block in ((0, 0), (4, 3)):
        world.expect(block)
        grows.append(world.orders.may_grow)
    assert grows == [False, True, False]


# -- bodies become blocks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 100 * BLOCK])
def test_any_split_of_the_body(size):
    world = World(FOLDER)
    world.expect_all()
    blocks = []
    while (transfer := world.orders.next()) is not None:
        body = world.body(transfer)
        step = max(size, len(body) // 50)  # a few thousand single bytes say no more
        for at in range(0, len(body), step):
            assert transfer.is_wanted
            world.orders.feed(transfer, body[at : at + step])
            blocks += keys(world.orders.taken())
        assert (transfer.missing, len(world.orders.taken())) == (0, 0)
        world.orders.end(transfer)
    assert len(blocks) == len(set(blocks)) == 33
    assert world.buffer[: len(DATA)] == DATA


@pytest.mark.parametrize("size", [1000, BLOCK, 3 * BLOCK + 1])
def test_a_body_lands_in_its_places(size):
    world = World()
    world.expect_all()
    transfer = take(world)
    body, blocks, at = world.body(transfer), [], 0
    while transfer.missing:
        at += scatter(world.orders, transfer, body[at : at + size])
        blocks += keys(world.orders.taken())
    assert (at, transfer.is_wanted, transfer.buffers()) == (len(DATA), False, [])
    assert blocks == sorted(set(blocks))
    assert len(blocks) == 33
    assert world.buffer[: len(DATA)] == DATA


def test_buffers_are_the_places_and_end_with_the_body():
    world = World()
    world.expect((0, 0), (0, 1), (0, 2), (0, 3), (1, 0))
    transfer = take(world)
    world.orders.forget((world.request(0, 1),))
    world.orders.forget((world.request(0, 2),))
    assert sum(map(len, transfer.buffers())) == 5 * BLOCK
    scatter(world.orders, transfer, world.body(transfer))
    assert keys(world.orders.taken()) == [(0, 0), (0, 3), (1, 0)]
    assert (transfer.skipped, transfer.missing) == (2 * BLOCK, 0)
    assert world.buffer[: 5 * BLOCK] == DATA[:BLOCK] + b"\xee" * 2 * BLOCK + DATA[3 * BLOCK : 5 * BLOCK]


def test_a_place_is_lent_when_it_is_nearly_its_turn():
    world = World({(): bytes(FORESEEN + 5 * BLOCK)})
    lent: list[Request] = []

    def lend(request: Request) -> memoryview:
        lent.append(request)
        return world.place(request)

    for block in range(FORESEEN // BLOCK + 5):
        world.orders.expect((world.request(block // 4, block % 4),), lend)
    transfer = take(world)
    assert not lent
    transfer.buffers()
    assert len(lent) == FORESEEN // BLOCK
    scatter(world.orders, transfer, world.body(transfer))
    scatter(world.orders, transfer, bytes(5 * BLOCK))
    assert len(lent) == len(set(lent)) == len(keys(world.orders.taken())) == FORESEEN // BLOCK + 5


def test_blocks_in_a_row_are_lent_as_one():
    world = World()
    lent: list[Request] = []

    def lend(request: Request) -> memoryview:
        lent.append(request)
        return world.place(request)

    world.orders.expect([world.request(piece, block) for piece in range(2) for block in range(4)], lend)
    transfer = take(world)
    scatter(world.orders, transfer, world.body(transfer)[: BLOCK + 1])
    assert world.orders.taken() == (Landed((world.request(0, 0),)),)
    scatter(world.orders, transfer, world.body(transfer)[BLOCK + 1 :])
    assert world.orders.taken() == tuple(
        Landed(tuple(world.request(piece, block) for block in range(1 - piece, 4))) for piece in range(2)
    )
    assert lent == [Request(0, 0, PIECE), Request(1, 0, PIECE)]


@pytest.mark.parametrize(
    ("blocks", "rows"),
    [
        ([], []),
        ([(0, 0, 8)], [1]),
        ([(0, 0, 8), (0, 8, 8), (0, 16, 5)], [3]),
        ([(0, 0, 8), (0, 8, 5), (0, 13, 5)], [2, 1]),  # only the last is shorter
        ([(0, 0, 8), (0, 8, 9), (0, 17, 9)], [1, 2]),
        ([(0, 0, 8), (0, 16, 8), (0, 8, 8)], [1, 1, 1]),
        ([(0, 0, 8), (0, 0, 8)], [1, 1]),
        ([(0, 0, 8), (1, 8, 8)], [1, 1]),
        ([(0, at, 1) for at in range(MOST_BLOCKS + 1)], [MOST_BLOCKS, 1]),
    ],
)
def test_what_is_a_row(blocks: list[tuple[int, int, int]], rows: list[int]):
    assert [len(row) for row in in_rows([Request(*block) for block in blocks])] == rows


def test_one_receive_is_for_so_many_places():
    world = World({(): bytes(FORESEEN + 5 * BLOCK)})
    world.expect_all()
    transfer = take(world)
    assert sum(map(len, transfer.buffers())) == FORESEEN


def test_too_long_a_body_is_an_error():
    world = World()
    world.expect((0, 0))
    transfer = take(world)
    with pytest.raises(WebSeedError, match="more than it said"):
        world.orders.feed(transfer, bytes(BLOCK + 1))


def test_a_block_without_a_place_has_its_data_with_it():
    world = World()
    world.orders.expect((world.request(0, 0),), None)
    transfer = take(world)
    world.orders.feed(transfer, world.body(transfer))
    assert world.orders.taken() == (Piece(0, 0, DATA[:BLOCK]),)
    assert isinstance(Piece(0, 0, DATA[:BLOCK]).data, bytes)
    assert world.orders.taken() == ()


# -- what is no longer wanted ----------------------------------------------------------------------------------------


def test_what_was_taken_back_before_its_get_is_not_asked_for():
    world = World()
    world.expect((0, 0), (0, 1), (0, 2))
    world.orders.forget((world.request(0, 1),))
    assert world.run() == ([(0, 0, BLOCK), (0, 2 * BLOCK, 3 * BLOCK)], [(0, 0), (0, 2)])


@pytest.mark.parametrize("come", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1])
def test_what_was_taken_back_in_the_middle_of_its_get_is_passed_over(come):
    world = World()
    world.expect((0, 0), (0, 1), (0, 2))
    transfer = take(world)
    body = world.body(transfer)
    world.orders.feed(transfer, body[:come])
    before = bytes(world.buffer)
    world.orders.forget((world.request(0, 1),))
    world.orders.feed(transfer, body[come:])
    assert keys(world.orders.taken()) == [(0, 0), (0, 2)]
    assert world.buffer[BLOCK : 2 * BLOCK] == before[BLOCK : 2 * BLOCK]  # not a byte since it was taken back
    assert world.buffer[2 * BLOCK : 3 * BLOCK] == DATA[2 * BLOCK : 3 * BLOCK]


def test_a_whole_block_that_was_not_fetched_yet_can_be_taken_back():
    world = World()
    world.expect((0, 0))
    transfer = take(world)
    world.orders.feed(transfer, world.body(transfer))
    world.orders.forget((world.request(0, 0),))
    assert world.orders.taken() == ()


def test_a_body_that_nobody_wants_any_more_is_not_wanted():
    world = World(FOLDER)
    world.expect((0, 0), (0, 1))
    transfer = take(world)
    world.orders.feed(transfer, world.body(transfer)[:100])
    world.orders.forget((world.request(0, 0),))
    wanted = [transfer.is_wanted]
    world.orders.forget_all()
    wanted.append(transfer.is_wanted)
    assert wanted == [True, False]
    assert transfer.missing


def test_what_is_asked_for_again_comes_with_the_same_body_if_it_lies_ahead():
    world = World()
    world.expect((0, 0), (0, 1), (0, 2))
    transfer = take(world)
    world.orders.feed(transfer, world.body(transfer)[:100])
    for block in range(3):
        world.orders.forget((world.request(0, block),))
    world.expect((0, 0), (0, 2))
    world.orders.feed(transfer, world.body(transfer)[100:])
    assert keys(world.orders.taken()) == [(0, 2)]  # of the first block, the beginning was gone
    world.orders.end(transfer)
    assert world.run() == ([(0, 0, BLOCK)], [(0, 0)])
    assert world.buffer[:BLOCK] == DATA[:BLOCK]


@pytest.mark.parametrize("more", [0, 1, BLOCK - 1])
@pytest.mark.parametrize("contents", [{(): DATA}, FOLDER])
def test_what_a_transfer_did_not_bring_waits_again(contents, more):
    world = World(contents)
    world.expect((1, 0), (1, 1), (1, 2))
    transfer = take(world)
    world.orders.feed(transfer, world.body(transfer)[: BLOCK + more])
    world.orders.end(transfer)
    assert keys(world.orders.taken()) == [(1, 0)]
    get = transfer.get
    assert world.run() == ([(transfer.resource, get.start + BLOCK, get.end)], [(1, 1), (1, 2)])
    assert world.buffer[4 * BLOCK : 7 * BLOCK] == DATA[4 * BLOCK : 7 * BLOCK]


def test_a_part_that_a_transfer_did_not_bring_waits_again():
    world = World(FOLDER)
    world.expect((0, 1))
    transfer = take(world)
    world.orders.feed(transfer, world.body(transfer)[:3])
    world.orders.end(transfer)
    gets, blocks = world.run()
    assert (sorted(gets), blocks) == ([(0, BLOCK, BLOCK + 5), (2, 0, 4), (3, 0, BLOCK - 9)], [(0, 1)])
    assert world.buffer[BLOCK : 2 * BLOCK] == DATA[BLOCK : 2 * BLOCK]


# -- a server that does not know of ranges ---------------------------------------------------------------------------


def test_from_a_body_of_the_whole_file_comes_what_is_wanted():
    world = World()
    world.expect((2, 0), (3, 0))
    transfer = take(world)
    assert world.orders.answered(transfer, range(len(DATA)))
    for at in range(0, len(DATA), 10_000):
        world.orders.feed(transfer, DATA[at : at + 10_000])
        if at == 100_000:
            world.expect((0, 0), (1, 2), (1, 3), (5, 2))  # two are past or begun, the others lie ahead
            assert world.orders.next() is None  # one body at a time
    assert keys(world.orders.taken()) == [(1, 3), (2, 0), (3, 0), (5, 2)]
    world.orders.end(transfer)
    assert take(world).get.start == 0
    for block in (7, 8, 12, 22):
        assert world.buffer[block * BLOCK : (block + 1) * BLOCK] == DATA[block * BLOCK : (block + 1) * BLOCK]


def test_what_is_far_into_a_file_is_not_read_from_its_start(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trio_torrent.wire.webseed.MOST_SKIPPED", 10 * BLOCK)
    for block, far in ((10, False), (11, True)):
        world = World()
        world.expect((block // 4, block % 4))
        transfer = take(world)
        if far:
            with pytest.raises(UnusableError, match="cannot send parts"):
                world.orders.answered(transfer, range(len(DATA)))
        else:
            assert world.orders.answered(transfer, range(len(DATA)))


def test_a_second_body_of_the_whole_file_is_not_read():
    world = World({(): bytes(2 * MUCH + 3 * BLOCK)})
    count = MUCH // BLOCK
    world.expect(*[(block // 4, block % 4) for block in range(count)])
    first = take(world)
    world.expect(*[(block // 4, block % 4) for block in range(count + 1, 2 * count + 1)])
    second = take(world)
    whole = range(2 * MUCH + 3 * BLOCK)
    assert world.orders.answered(first, whole)
    assert not world.orders.answered(second, whole)
    world.orders.end(second)
    world.orders.feed(first, bytes(len(whole)))
    assert len(keys(world.orders.taken())) == 2 * count


def test_too_many_copies_of_a_file_are_enough():
    world = World()

    def fetch(times: int) -> None:
        for _ in range(times):
            world.expect((0, 0))
            transfer = take(world)
            assert world.orders.answered(transfer, range(len(DATA)))
            world.orders.feed(transfer, DATA)
            world.orders.end(transfer)
            assert keys(world.orders.taken()) == [(0, 0)]

    fetch(3 + MOST_REQUEST // len(DATA))
    with pytest.raises(UnusableError, match="cannot send parts of a file"):
        fetch(4)


# -- anything at all -------------------------------------------------------------------------------------------------


class Life(World):
    """Blocks are asked for and taken back at any time, bodies come in pieces, transfers end early."""

    def __init__(self, random: Random) -> None:
        single: Contents = {(): DATA}
        super().__init__(random.choice([FOLDER, single]), random.choice(["1", "2", "hybrid"]))
        self.random = random
        self.lent: dict[tuple[int, int], memoryview] = {}
        self.taken_back: list[tuple[memoryview, bytes]] = []  # with what was in it then
        self.to_come: dict[Transfer, bytes] = {}

    def ask(self) -> None:
        piece = self.random.randrange(self.metainfo.geometry.pieces)
        first = self.random.randrange(self.metainfo.geometry.block_count(piece))
        last = min(first + self.random.randrange(4), self.metainfo.geometry.block_count(piece) - 1)
        requests = [self.request(piece, block) for block in range(first, last + 1) if (piece, block) not in self.lent]
        memory = memoryview(bytearray(b"\xee" * PIECE))
        for request in requests:
            self.lent[piece, request.offset // BLOCK] = memory[request.offset :][: request.length]
        self.orders.expect(requests, lambda asked: memory[asked.offset :][: asked.length])

    def take_back(self) -> None:
        gone = self.random.sample(sorted(self.lent), min(len(self.lent), self.random.randrange(4)))
        self.orders.forget([self.request(*key) for key in gone])
        for place in map(self.lent.pop, gone):
            self.taken_back.append((place, bytes(place)))

    def begin(self) -> None:
        if (transfer := self.orders.next()) is None:
            return
        whole, get = self.file(transfer.resource), transfer.get
        body = range(get.start, get.end) if self.random.random() < 0.8 else range(len(whole))
        if self.orders.answered(transfer, body):
            self.to_come[transfer] = whole[body.start : body.stop]
        else:
            self.orders.end(transfer)

    def receive(self) -> None:
        if self.to_come:
            transfer = self.random.choice(list(self.to_come))
            count = self.random.choice([1, 1000, BLOCK, 3 * BLOCK])
            if self.random.random() < 0.5:
                self.orders.feed(transfer, self.to_come[transfer][:count])
            else:
                count = scatter(self.orders, transfer, self.to_come[transfer][:count])
            self.to_come[transfer] = self.to_come[transfer][count:]
            if not transfer.missing or not transfer.is_wanted:
                del self.to_come[transfer]
                self.orders.end(transfer)

    def collect(self) -> None:
        for key in keys(self.orders.taken()):
            assert self.lent.pop(key) == self.truth(self.request(*key))

    def truth(self, request: Request) -> bytes:
        spans = Files("http://h.example/", self.metainfo).spans(request)
        return b"".join(
            bytes(span.length)
            if span.resource is None
            else self.file(span.resource)[span.offset : span.offset + span.length]
            for span in spans
        )


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_places_hold_what_they_should_and_nothing_else(seed: int):
    life = Life(Random(seed))
    for _ in range(600):
        life.random.choice(
            [life.ask, life.ask, life.ask, life.take_back, life.begin, life.receive, life.receive, life.collect]
        )()
    for _ in range(10_000):
        life.begin()
        life.receive()
        life.collect()
    assert not life.lent
    assert life.orders.next() is None
    assert all(place == then for place, then in life.taken_back)
