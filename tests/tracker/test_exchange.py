"""One question to a UDP tracker: plain calls in virtual time."""

import struct
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer, Refused
from trio_torrent.tracker.exchange import CONNECTION_SECONDS, MAX_CONNECTIONS, Connection, Connections, Exchange
from trio_torrent.tracker.udp import Action, AnnounceQuestion

SAID = Announce(b"h" * 20, b"p" * 20, 6881, 1, 2, 3, AnnounceEvent.STARTED, 4, 50, None)
ANSWER = struct.pack(">III", 900, 3, 4) + b"\x01\x02\x03\x04\x1a\xe1"


def start(connection: Connection | None = None, now: float = 0, seed: int = 1) -> Exchange[Answer]:
    return Exchange(AnnounceQuestion(SAID, b"", False), connection=connection, random=Random(seed), now=now)


def sent(exchange: Exchange[Answer], now: float) -> tuple[Action, int, int]:
    """What it sends now: the action, the transaction and the connection id."""
    data = exchange.datagram(now)
    assert data is not None
    connection, action, transaction = struct.unpack_from(">QII", data)
    assert len(data) == (16 if action == 0 else 98)
    return Action(action), transaction, connection


def reply(action: int, transaction: int, body: bytes = b"") -> bytes:
    return struct.pack(">II", action, transaction) + body


def connect(exchange: Exchange[Answer], now: float, number: int = 77) -> None:
    action, transaction, _ = sent(exchange, now)
    assert action is Action.CONNECT
    exchange.receive(reply(0, transaction, number.to_bytes(8)), now)


def test_it_connects_and_then_asks():
    exchange = start()
    connect(exchange, 0)
    assert exchange.next_time() == 0
    action, transaction, connection = sent(exchange, 0)
    assert (action, connection) == (Action.ANNOUNCE, 77)
    exchange.receive(reply(1, transaction, ANSWER), 0.5)
    assert exchange.answer is not None
    assert (exchange.answer.seeders, len(exchange.answer.peers)) == (4, 1)
    assert exchange.connection == Connection(77, CONNECTION_SECONDS)


def test_what_brings_nothing_is_sent_again_after_twice_the_time():
    exchange = start()
    times = []
    for _ in range(4):
        times.append(exchange.next_time())
        first = sent(exchange, exchange.next_time())
        assert exchange.datagram(exchange.next_time() - 0.01) is None
    assert times == [0, 2, 6, 14]
    connect(exchange, exchange.next_time())
    asked = sent(exchange, 30)
    assert first[0] is Action.CONNECT
    assert exchange.next_time() == 32  # the question starts anew
    assert sent(exchange, 32) == asked


def test_an_answer_to_the_first_of_two_requests_counts():
    exchange = start()
    connect(exchange, 0)
    _, transaction, _ = sent(exchange, 0)
    sent(exchange, 2)
    exchange.receive(reply(1, transaction, ANSWER), 2.1)
    assert exchange.answer is not None


def test_each_step_has_a_transaction_of_its_own():
    exchange = start()
    _, first, _ = sent(exchange, 0)
    exchange.receive(reply(0, first, bytes(8)), 0)
    _, second, _ = sent(exchange, 0)
    assert first != second
    exchange.receive(reply(1, first, ANSWER), 0)
    assert exchange.answer is None
    assert sent(start(seed=2), 0)[1] != first


STRANGE: dict[str, Callable[[int], bytes]] = {
    "nothing": lambda transaction: b"",
    "too short for a head": lambda transaction: reply(0, transaction)[:7],
    "another transaction": lambda transaction: reply(0, transaction ^ 1, bytes(8)),
    "an answer without a question": lambda transaction: reply(1, transaction, ANSWER),
    "a short connection id": lambda transaction: reply(0, transaction, bytes(7)),
    "an unknown action": lambda transaction: reply(9, transaction, bytes(100)),
    "an error of somebody else": lambda transaction: reply(3, transaction ^ 1, b"no"),
    "our own request": lambda transaction: struct.pack(">QII", 0x41727101980, 0, transaction),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_no_answer_to_a_connect_is_as_if_it_had_not_come(what):
    exchange = start()
    _, transaction, _ = sent(exchange, 0)
    exchange.receive(STRANGE[what](transaction), 0)
    assert exchange.connection is None
    assert exchange.next_time() == 2


@pytest.mark.parametrize(
    ("action", "change", "body"), [(1, 1, ANSWER), (0, 0, bytes(8)), (2, 0, ANSWER), (1, 0, ANSWER[:11]), (3, 1, b"x")]
)
def test_what_is_no_answer_to_an_announce_is_as_if_it_had_not_come(action, change, body):
    exchange = start()
    connect(exchange, 0)
    _, transaction, _ = sent(exchange, 0)
    exchange.receive(reply(action, transaction ^ change, body), 0)
    assert exchange.answer is None
    exchange.receive(reply(1, transaction, ANSWER), 1)
    assert exchange.answer is not None


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize(
    ("message", "words"), [(b"not yours\x1b[31m\n", "not yours [31m"), (b"", "refused without a reason")]
)
def test_an_error_is_what_the_tracker_says(connected, message, words):
    exchange = start()
    if connected:
        connect(exchange, 0)
    _, transaction, _ = sent(exchange, 0)
    with pytest.raises(Refused) as caught:
        exchange.receive(reply(3, transaction, message), 0)
    assert (str(caught.value), caught.value.retry_in) == (words, None)


def test_a_connection_that_is_remembered_saves_a_round_trip():
    exchange = start(Connection(5, until=60), now=59)
    action, transaction, connection = sent(exchange, 59)
    assert (action, connection) == (Action.ANNOUNCE, 5)
    exchange.receive(reply(1, transaction, ANSWER), 59)
    assert exchange.answer is not None
    assert exchange.connection == Connection(5, until=60)


def test_a_connection_that_is_over_is_made_anew():
    assert sent(start(Connection(5, until=60), now=60), 60)[0] is Action.CONNECT


def test_an_error_after_a_remembered_connection_is_its_fault_once():
    exchange = start(Connection(5, until=60))
    _, transaction, _ = sent(exchange, 0)
    exchange.receive(reply(3, transaction, b"connection id mismatch"), 0)
    assert exchange.connection is None
    connect(exchange, 0, number=6)
    action, transaction, connection = sent(exchange, 0)
    assert (action, connection) == (Action.ANNOUNCE, 6)
    with pytest.raises(Refused, match="not registered"):
        exchange.receive(reply(3, transaction, b"not registered"), 0)


def test_silence_after_a_remembered_connection_is_its_fault_too():
    exchange = start(Connection(5, until=60))
    sent(exchange, 0)
    assert exchange.next_time() == 2
    connect(exchange, 2)
    assert sent(exchange, 2)[0] is Action.ANNOUNCE


@given(st.lists(st.tuples(st.binary(max_size=40), st.booleans(), st.floats(0, 5)), max_size=20))
def test_whatever_comes_it_asks_less_and_less_or_is_done(moves):
    """No bytes, with the right transaction or without, make it send twice at once or break it."""
    exchange, now, times = start(), 0.0, []
    for data, forged, wait in moves:
        datagram = exchange.datagram(now)
        if datagram is not None:
            times.append(now)
            transaction = datagram[12:16]
        head = data[:4].ljust(4, b"\0") + transaction if forged else b""
        try:
            exchange.receive(head + data, now)
        except Refused:
            return
        if exchange.answer is not None:
            return
        now += wait
    assert sum(time == 0 for time in times) <= 2  # a connect and a question


def test_connections_are_remembered_for_a_minute_and_not_without_number():
    connections = Connections()
    connections.note("a", Connection(1, until=60))
    assert connections.find("a", 59.9) == Connection(1, until=60)
    assert connections.find("a", 60) is None
    assert connections.find("b", 0) is None
    connections.note("a", None)
    assert connections.find("a", 0) is None
    for number in range(MAX_CONNECTIONS + 10):
        connections.note(number, Connection(number, until=60))
    assert [connections.find(number, 0) is None for number in (0, 9, 10, MAX_CONNECTIONS + 9)] == [
        True,
        True,
        False,
        False,
    ]
