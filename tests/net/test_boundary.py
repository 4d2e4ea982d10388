"""Where failures stop, and what passes all the same."""

import logging

import pytest
import trio

from trio_torrent.net.boundary import Boundary


@pytest.fixture
def boundary() -> Boundary:
    return Boundary()


def test_nothing_happens(boundary: Boundary):
    with boundary.guard("a test"):
        pass
    assert boundary.unexpected == 0


def test_what_nobody_foresaw_is_counted_and_told(boundary: Boundary, caplog: pytest.LogCaptureFixture):
    for _ in range(2):
        with boundary.guard("a test"):
            raise ZeroDivisionError("oh")
    assert boundary.unexpected == 2
    assert caplog.record_tuples[0] == (
        "trio_torrent",
        logging.ERROR,
        "unexpected, in a test; this is a bug in trio-torrent",
    )
    assert "ZeroDivisionError: oh" in caplog.text


def test_a_group_is_one_failure(boundary: Boundary):
    error: Exception | None = ExceptionGroup("", [ValueError(), OSError()])
    with boundary.guard("a test"):
        if error:
            raise error
    assert boundary.unexpected == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes(boundary: Boundary, error: type[BaseException]):
    with pytest.raises(error), boundary.guard("a test"):
        raise error
    assert boundary.unexpected == 0


async def test_cancellation_passes(boundary: Boundary):
    with trio.CancelScope() as scope:
        scope.cancel()
        with boundary.guard("a test"):
            await trio.lowlevel.checkpoint()
        pytest.fail("it did not pass")
    assert boundary.unexpected == 0


async def test_a_failure_amid_cancellation_is_counted_and_the_cancellation_passes(boundary: Boundary):
    """Or else the failure would travel on with it, and take the caller's nursery along."""

    async def fails_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ZeroDivisionError

    with trio.CancelScope() as scope:
        with boundary.guard("a test"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fails_when_cancelled)
                nursery.start_soon(trio.sleep_forever)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        pytest.fail("it did not pass")
    assert boundary.unexpected == 1
