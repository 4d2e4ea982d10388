"""What is said to a SOCKS proxy, byte by byte, and what becomes of its replies."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_torrent.errors import TrackerError
from trio_torrent.net.proxy import Proxy
from trio_torrent.net.socks import ask_for_connection

OPEN = Proxy("socks5", "proxy", 1080)
CLOSED = Proxy("socks5", "proxy", 1080, "me", "secret")


def talk(proxy: Proxy, replies: bytes, host: str = "t.example", port: int = 80) -> tuple[list[bytes], bytes]:
    """What was said, and what is left of the replies when the conversation has ended; EOFError if it needs more."""
    said = []
    conversation = ask_for_connection(proxy, host, port)
    step = next(conversation)
    try:
        while True:
            if isinstance(step, bytes):
                said.append(step)
                step = next(conversation)
            elif len(replies) < step:
                raise EOFError
            else:
                data, replies = replies[:step], replies[step:]
                step = conversation.send(data)
    except StopIteration:
        return said, replies


DONE = b"\5\0\0\1\1\2\3\4\0\x50"


def test_without_a_login():
    said, rest = talk(OPEN, b"\5\0" + DONE + b"HTTP")
    assert said == [b"\5\1\0", b"\5\1\0\3\x09t.example\0\x50"]
    assert rest == b"HTTP"


def test_with_a_login():
    said, rest = talk(CLOSED, b"\5\2\1\0" + DONE)
    assert said == [b"\5\1\2", b"\1\2me\6secret", b"\5\1\0\3\x09t.example\0\x50"]
    assert rest == b""


@pytest.mark.parametrize(
    ("host", "packed"),
    [("1.2.3.4", b"\1\1\2\3\4"), ("2001::5", b"\4\x20\1" + bytes(13) + b"\5"), ("a", b"\3\1a")],
)
def test_addresses_and_names(host, packed):
    assert talk(OPEN, b"\5\0" + DONE, host)[0][1] == b"\5\1\0" + packed + b"\0\x50"


@pytest.mark.parametrize("bound", [b"\1" + bytes(6), b"\4" + bytes(18), b"\3\0" + bytes(2), b"\3\x05proxy" + bytes(2)])
def test_where_the_proxy_connects_from_is_passed_over(bound):
    assert talk(OPEN, b"\5\0\5\0\0" + bound + b"rest")[1] == b"rest"


@pytest.mark.parametrize(
    ("proxy", "replies", "words"),
    [
        (OPEN, b"\4\0", "does not speak SOCKS 5"),
        (OPEN, b"HTTP/1.1", "does not speak SOCKS 5"),
        (OPEN, b"\5\xff", "wants a login"),
        (CLOSED, b"\5\xff", "wants another way to log in"),
        (CLOSED, b"\5\0", "wants another way to log in"),
        (CLOSED, b"\5\2\1\1", "refused the user name or the password"),
        (OPEN, b"\5\0\5\5\0\1", "cannot connect: connection refused"),
        (OPEN, b"\5\0\5\x63\0\1", "cannot connect: reply 99"),
        (OPEN, b"\5\0\4\0\0\1", "does not speak SOCKS 5"),
        (OPEN, b"\5\0\5\0\0\x09", "does not speak SOCKS 5"),
    ],
)
def test_whatever_goes_wrong_is_told(proxy, replies, words):
    with pytest.raises(TrackerError, match=words) as caught:
        talk(proxy, replies)
    assert "secret" not in str(caught.value)


def test_a_name_that_is_too_long():
    with pytest.raises(TrackerError, match="too long"):
        talk(OPEN, b"\5\0", "x" * 256)


@given(st.binary(max_size=40), st.sampled_from([OPEN, CLOSED]))
def test_any_replies_end_it_or_need_more(replies, proxy):
    with suppress(TrackerError, EOFError):
        talk(proxy, replies)
