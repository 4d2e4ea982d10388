"""The system's name service, faked below the threads; no mocked clock, as threads run."""

import socket
import threading

import pytest
import trio

from trio_torrent.net.lookup import KEPT_SECONDS, MAX_KEPT, SystemLookup


@pytest.fixture
def asked(monkeypatch):
    """Which names were looked up: `gone` is unknown, `stuck` waits for `release`, others are 1.2.3.4."""
    names: list[str] = []

    def fake(host, *args, **kwargs):
        names.append(host)
        if host == "gone":
            raise socket.gaierror(-2, "Name or service not known")
        if host == "bad":
            raise UnicodeError("label empty or too long")
        if host == "stuck":
            release.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.2.3.4", 0))] * 2

    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", fake)
    yield names
    release.set()


async def test_an_answer_serves_all_who_ask_in_that_moment(asked):
    lookup = SystemLookup()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(lookup, "name")
    assert await lookup("name") == ["1.2.3.4"]
    assert asked == ["name"]
    await lookup("other")
    assert asked == ["name", "other"]


@pytest.mark.parametrize(("name", "kind"), [("gone", socket.gaierror), ("bad", UnicodeError)])
async def test_an_error_serves_all_who_ask_too(asked, name, kind):
    lookup = SystemLookup()
    errors = []
    for _ in range(2):
        with pytest.raises(kind) as caught:
            await lookup(name)
        errors.append(caught.value)
    assert asked == [name]
    assert errors[0] is not errors[1]
    assert str(errors[0]) == str(errors[1])


async def test_an_answer_is_forgotten_after_a_moment(asked, mock_clock):
    lookup = SystemLookup()
    await lookup("name")
    mock_clock.jump(KEPT_SECONDS - 1)
    await lookup("name")
    assert asked == ["name"]
    mock_clock.jump(1)
    await lookup("name")
    assert asked == ["name", "name"]


async def test_who_does_not_wait_any_longer_leaves_it_to_the_next(asked):
    lookup = SystemLookup()
    for times in (1, 2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lookup, "stuck")
            with trio.fail_after(30):
                while len(asked) < times:  # noqa: ASYNC110  # a thread tells
                    await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
    assert asked == ["stuck", "stuck"]


async def test_no_more_than_so_many_names_are_kept(asked):
    lookup = SystemLookup()
    for number in range(MAX_KEPT + 10):
        await lookup(str(number))
    await lookup(str(MAX_KEPT + 9))
    assert len(asked) == MAX_KEPT + 10
    await lookup("0")
    assert len(asked) == MAX_KEPT + 11
