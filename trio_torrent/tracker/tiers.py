"""Which of a torrent's trackers hears what, and when (BEP 12, and the events of BEP 3).

BEP 12 asks one tier at a time. Clients that do so wait half a minute for each dead tracker, so here, as in libtorrent
and Transmission, every tier is asked at once and on its own; `strict` puts all tiers in one row as the BEP has them.

A *lane* is what is asked one tracker at a time: one tier, or strictly all of them. At most one of its announces is
under way. When it is due, the first of its trackers that is not left alone after a failure is asked; when that fails,
the next one follows at once; when that answers, it moves to the front of its tier, and the lane rests for its interval.

What a tracker hears depends on what it heard before, not on its lane: `started` until it has answered one; `completed`
once, if it knew us incomplete and we no longer are; otherwise nothing in particular. `stopped` goes to those that have
answered a `started`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random

import attrs

from trio_torrent.errors import TrackerError

from .announce import AnnounceEvent, Answer, Refused

SPOKEN = frozenset({"http", "https"})
MAX_TRACKERS = 300  # of one torrent: the longest lists that people paste have about 150
MAX_AT_ONCE = 50  # announces of one torrent under way: libtorrent's limit for all of HTTP
NUMWANT = 200  # peers to ask for, as libtorrent; a tracker gives fewer if it likes

RETRY_FIRST = 5.0  # seconds; these three are libtorrent's tracker_retry_delay_min, _max and tracker_backoff
RETRY_LAST = 3600.0
RETRY_GROWTH = 2.5
RETRY_SPREAD = 1.25  # at most so much longer by chance: torrents whose tracker comes back do not all come at once
RETRY_WISHED = 15.0  # after a failure, even someone who asks for an announce now waits so long
MIN_GAP = 30.0  # between two announces without an event to a tracker that names no `min interval`, as libtorrent


@attrs.frozen
class Due:
    """An announce that is to be made now, and reported back to `Tiers.answered` or `Tiers.failed`."""

    url: str
    event: AnnounceEvent
    numwant: int
    tracker_id: bytes | None


@attrs.frozen
class TrackerStatus:
    """One tracker of a torrent as it is now, for people."""

    url: str
    tier: int  # from 0
    state: str  # in words
    error: str | None  # of the last announce, if that failed
    warning: str | None  # of the last answer
    peers: int  # how many the last answer gave
    seeders: int | None
    leechers: int | None
    next_announce: float | None  # on the clock that `now` is from; None if none is planned


@attrs.define(eq=False)
class _Tracker:
    url: str
    tier: int
    asking: bool = False
    started: bool = False  # it answered a `started`, and no `stopped` has been sent since
    completed: bool = False  # it answered a `completed`, or never knew us without one
    failures: int = 0  # in a row
    tried_at: float = -math.inf  # when the last announce ended, well or not
    retry_at: float = -math.inf  # after a failure: left alone until then
    error: str | None = None
    answer: Answer | None = None  # the last
    tracker_id: bytes | None = None  # an answer without one leaves the one before in force

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0].lower()


@attrs.define(eq=False)
class _Lane:
    groups: list[list[_Tracker]]  # tiers, each in the order in which its trackers are tried
    due: float = math.inf
    welcome_at: float = -math.inf  # the last answer wants no announce before, but for events
    asking: bool = False

    def __iter__(self) -> Iterator[_Tracker]:
        return (tracker for group in self.groups for tracker in group if tracker.scheme in SPOKEN)

    def next_time(self) -> float:
        return max(self.due, min((tracker.retry_at for tracker in self), default=math.inf))

    def next_tracker(self) -> _Tracker | None:
        """Who is asked at `next_time`."""
        at = self.next_time()
        return next((tracker for tracker in self if tracker.retry_at <= at < math.inf), None)

    def promote(self, tracker: _Tracker) -> None:
        group = next(group for group in self.groups if tracker in group)
        group.remove(tracker)
        group.insert(0, tracker)


class Tiers:
    """The trackers of one torrent. Nothing is due before `start`, nor after `stop`; the two may alternate."""

    def __init__(self, tiers: Sequence[Sequence[str]], *, random: Random, strict: bool = False) -> None:
        """At most 300 trackers are taken, each once, with its tier shuffled."""
        self._random = random
        groups = _shuffled(tiers, random)
        self._lanes = [_Lane(groups)] if strict else [_Lane([group]) for group in groups]
        self._lane_of = {tracker.url: lane for lane in self._lanes for group in lane.groups for tracker in group}
        self._trackers = {tracker.url: tracker for group in groups for tracker in group}
        self._running = False
        self._was_incomplete = False
        self._complete = False

    def start(self, now: float, *, complete: bool) -> None:
        """Every lane is due and every tracker is owed a `started`; `complete` if nothing is left to download."""
        self._running = True
        self._was_incomplete = not complete
        self._complete = False
        for tracker in self._trackers.values():
            tracker.started = tracker.completed = tracker.asking = False
            tracker.retry_at = -math.inf
        for lane in self._lanes:
            lane.due, lane.welcome_at, lane.asking = now, -math.inf, False

    def stop(self) -> tuple[Due, ...]:
        """The `stopped` announces to make, whose outcome nobody needs. What is under way does not count any more."""
        told = [tracker for tracker in self._trackers.values() if tracker.started]
        self._running = False
        for tracker in self._trackers.values():
            tracker.started = tracker.asking = False
        for lane in self._lanes:
            lane.due, lane.asking = math.inf, False
        return tuple(Due(tracker.url, AnnounceEvent.STOPPED, 0, tracker.tracker_id) for tracker in told)

    def completed(self, now: float) -> None:
        """The last piece has arrived: trackers that knew us without it hear of it at once."""
        if self._running and self._was_incomplete and not self._complete:
            self._complete = True
            for lane in self._lanes:
                lane.due = min(lane.due, now)

    def announce_now(self, now: float) -> None:
        """Someone wants more peers: as soon as the trackers allow, and soon where the last announce failed."""
        for lane in self._lanes if self._running else ():
            lane.due = min(lane.due, max(now, lane.welcome_at))
            for tracker in lane:
                if tracker.retry_at < math.inf:  # who said "never" means it
                    tracker.retry_at = min(tracker.retry_at, tracker.tried_at + RETRY_WISHED)

    def due(self, now: float) -> tuple[Due, ...]:
        """The announces to make now, the longest due first; each of them is under way until it is reported back."""
        ready = [lane for lane in self._lanes if not lane.asking and lane.next_time() <= now]
        ready.sort(key=_Lane.next_time)
        asked = ((lane, lane.next_tracker()) for lane in ready[: self._places()])
        return tuple(self._ask(lane, tracker) for lane, tracker in asked if tracker)

    def next_time(self) -> float:
        """When to ask `due` again, unless something is reported before; infinite if nothing is planned."""
        if not self._places():
            return math.inf
        return min((lane.next_time() for lane in self._lanes if not lane.asking), default=math.inf)

    def answered(self, due: Due, answer: Answer, now: float) -> None:
        """The announce was answered."""
        tracker, lane = self._trackers[due.url], self._lane_of[due.url]
        if not tracker.asking:
            return  # of a time before `stop`
        tracker.asking = lane.asking = False
        tracker.failures, tracker.error, tracker.tried_at = 0, None, now
        tracker.answer, tracker.tracker_id = answer, answer.tracker_id or tracker.tracker_id
        tracker.started = True
        tracker.completed |= due.event is AnnounceEvent.COMPLETED
        lane.promote(tracker)
        lane.welcome_at = now + (MIN_GAP if answer.min_interval is None else answer.min_interval)
        lane.due = now if self._event(tracker) is not AnnounceEvent.NONE else now + answer.interval

    def failed(self, due: Due, error: TrackerError, now: float) -> None:
        """The announce failed. The next tracker of its lane is due at once, this one after a growing while."""
        tracker, lane = self._trackers[due.url], self._lane_of[due.url]
        if not tracker.asking:
            return  # of a time before `stop`
        tracker.asking = lane.asking = False
        tracker.failures += 1
        tracker.error, tracker.tried_at = str(error), now
        wished = error.retry_in if isinstance(error, Refused) else None
        tracker.retry_at = now + (self._back_off(tracker.failures) if wished is None else wished)

    @property
    def status(self) -> tuple[TrackerStatus, ...]:
        """Every tracker in the torrent's order of tiers, those that we cannot speak to included."""
        return tuple(self._status(tracker) for tracker in sorted(self._trackers.values(), key=lambda t: t.tier))

    def _places(self) -> int:
        return max(0, MAX_AT_ONCE - sum(lane.asking for lane in self._lanes))

    def _ask(self, lane: _Lane, tracker: _Tracker) -> Due:
        event = self._event(tracker)
        if event is AnnounceEvent.STARTED:
            tracker.completed = self._complete
        lane.asking = tracker.asking = True
        return Due(tracker.url, event, NUMWANT, tracker.tracker_id)

    def _event(self, tracker: _Tracker) -> AnnounceEvent:
        """What it should hear next."""
        if not tracker.started:
            return AnnounceEvent.STARTED
        if self._complete and not tracker.completed:
            return AnnounceEvent.COMPLETED
        return AnnounceEvent.NONE

    def _back_off(self, failures: int) -> float:
        delay = RETRY_FIRST * (1 + RETRY_GROWTH * failures**2)
        return min(delay, RETRY_LAST) * self._random.uniform(1, RETRY_SPREAD)

    def _status(self, tracker: _Tracker) -> TrackerStatus:
        lane, answer = self._lane_of[tracker.url], tracker.answer
        planned = not lane.asking and lane.next_tracker() is tracker
        return TrackerStatus(
            url=tracker.url,
            tier=tracker.tier,
            state=self._state(tracker, planned),
            error=tracker.error,
            warning=answer.warning if answer else None,
            peers=len(answer.peers) if answer else 0,
            seeders=answer.seeders if answer else None,
            leechers=answer.leechers if answer else None,
            next_announce=lane.next_time() if planned else None,
        )

    def _state(self, tracker: _Tracker, planned: bool) -> str:
        if tracker.scheme not in SPOKEN:
            return f"not supported: {tracker.scheme[:10]}" if tracker.scheme.isalnum() else "not supported"
        if not self._running:
            return "stopped"
        if tracker.asking:
            return "announcing"
        if tracker.failures:
            return "failing" if tracker.retry_at < math.inf else "told us not to come back"
        if tracker.started:
            return "working"
        return "waiting" if planned else "in reserve"


def _shuffled(tiers: Sequence[Sequence[str]], random: Random) -> list[list[_Tracker]]:
    """BEP 12: each tier in random order. A tracker that is named twice belongs to the first tier that has it."""
    seen: set[str] = set()
    groups: list[list[_Tracker]] = []
    for tier in tiers:
        urls = [url for url in dict.fromkeys(map(str.strip, tier)) if url and url not in seen]
        urls = urls[: MAX_TRACKERS - len(seen)]
        seen.update(urls)
        random.shuffle(urls)
        if urls:
            groups.append([_Tracker(url, len(groups)) for url in urls])
    return groups
