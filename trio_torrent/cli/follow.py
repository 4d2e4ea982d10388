"""Following torrents from their sources to their ends, for `get` and `seed`: all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from trio_torrent import Client, open_client

from . import lines
from .claims import Claims
from .exits import CommandError, Exit
from .follower import Follower, Orders
from .voice import Voice
from .words import plural

TICK_SECONDS = 1.0  # between progress events, and between looks at what has stalled
DRAW_SECONDS = 0.25  # between frames of the live display: figures that change faster cannot be read


async def follow(sources: Sequence[str], orders: Orders, voice: Voice, interrupt: trio.CancelScope) -> Exit:
    """All sources in one client, until the last of them is over."""
    claims = Claims()
    followers = [Follower(source, orders, voice, claims) for source in sources]
    # A folder that cannot be is better known now than at the first piece.
    try:
        orders.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        voice.fail(error)
        return Exit.DISK
    settings = attrs.evolve(
        orders.network.settings(),
        superseed=orders.superseed,
        allocation=orders.data.allocation,
        state_folder=orders.data.state_folder,
    )
    if settings.state_folder is not None:
        _check_state(settings.state_folder, voice)
    started = trio.current_time()
    async with open_client(settings) as client:
        if orders.network.port not in (0, client.port):
            voice.say(f"port {orders.network.port} is taken: peers reach us at {client.port}")
        with interrupt:
            await watch(followers, client, voice)
        _conclude(followers, voice, trio.current_time() - started)
    if client.unexpected:
        voice.fail(CommandError(Exit.BUG, f"{client.unexpected} errors were bugs in trio-torrent; --debug shows them"))
    return together([follower.exit for follower in followers])


def _check_state(folder: Path, voice: Voice) -> None:
    """Without records a download goes on as well, but not where it was."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        voice.warn(f"{folder}: {error.strerror}: what is verified cannot be remembered there")


def _conclude(followers: Sequence[Follower], voice: Voice, seconds: float) -> None:
    """How each has gone, and all of them together."""
    for follower in followers:
        follower.conclude(trio.current_time())
    statuses = [follower.torrent.status for follower in followers if follower.torrent is not None]
    if len(followers) > 1:
        voice.say(lines.in_all(statuses, _complete(followers), seconds))
    if any(follower.goes_on for follower in followers):
        voice.say("the same command goes on from there")


def _complete(followers: Sequence[Follower]) -> str:
    counted = [follower for follower in followers if follower.counts]
    return f"{sum(follower.exit is Exit.DONE for follower in counted)} of {plural(len(counted), 'torrent')} complete"


async def watch(followers: Sequence[Follower], client: Client, voice: Voice) -> None:
    """Run them with progress, until the last of them is over."""
    with voice.progress():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_clock, followers, voice)
            async with trio.open_nursery() as running:
                for follower in followers:
                    running.start_soon(follower.run, client)
            nursery.cancel_scope.cancel()


def together(codes: Sequence[Exit]) -> Exit:
    """The exit code of several: an interruption, or the first failure."""
    if Exit.INTERRUPTED in codes:
        return Exit.INTERRUPTED
    return next((code for code in codes if code is not Exit.DONE), Exit.DONE)


def _total(rows: Sequence[lines.Row], followers: Sequence[Follower]) -> str:
    return lines.together([row.status for row in rows], _complete(followers))


async def _clock(followers: Sequence[Follower], voice: Voice) -> None:
    tick_at = trio.current_time()
    while True:
        now = trio.current_time()
        if now >= tick_at:
            tick_at = now + TICK_SECONDS
            for follower in followers:
                follower.tick(now)
        rows = [row for follower in followers if (row := follower.row) is not None]
        voice.show(rows, now, _total(rows, followers) if len(followers) > 1 else "")
        await trio.sleep(DRAW_SECONDS)
