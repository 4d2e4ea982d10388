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
from collections.abc import Iterator, Mapping, Sequence
from random import Random

import attrs

from trio_torrent.errors import TrackerError

from .announce import AnnounceEvent, Answer, Counts, Refused
from .status import TrackerStatus

SPOKEN = frozenset({"http", "https", "udp"})
MAX_TRACKERS = 300  # of one torrent: the longest lists that people paste have about 150
MAX_AT_ONCE = 50  # announces of one torrent under way: libtorrent's limit for all of HTTP
NUMWANT = 200  # peers to ask for, as libtorrent; a tracker gives fewer if it likes

RETRY_FIRST = 5.0  # seconds; these three are libtorrent's tracker_retry_delay_min, _max and tracker_backoff
RETRY_LAST = 3600.0
RETRY_GROWTH = 2.5
RETRY_SPREAD = 1.25  # at most so much longer by chance: torrents whose tracker comes back do not all come at once
RETRY_WISHED = 15.0  # after a failure, even someone who asks for an announce now waits so long
MIN_GAP = 30.0  # between two announces without an event to a tracker that names no `min interval`, as libtorrent
SCRAPE_GAP = 60.0  # between two scrapes of one tracker: its figures hardly change faster


_NO_COUNTS = Counts(None, None, None)


@attrs.frozen
class Due:
    """An announce that is to be made now, and reported back to `Tiers.answered` or `Tiers.failed`."""

    url: str
    event: AnnounceEvent
    numwant: int
    tracker_id: bytes | None


@attrs.define(eq=False)
class _Tracker:
    url: str
    tier: int
    unspoken: str | None = None  # why it is never asked
    asking: bool = False
    asked: Due | None = None  # the announce that is under way, or was the last
    started: bool = False  # it answered a `started`, and no `stopped` has been sent since
    completed: bool = False  # it answered a `completed`, or never knew us without one
    failures: int = 0  # in a row
    tried_at: float = -math.inf  # when the last announce ended, well or not
    retry_at: float = -math.inf  # after a failure: left alone until then
    error: str | None = None
    heard: Due | None = None  # the last that was answered, over one family of addresses at least
    answer: Answer | None = None  # to that
    tracker_id: bytes | None = None  # an answer without one leaves the one before in force
    external_ip: str | None = None  # likewise
    counts: Counts = _NO_COUNTS  # likewise, each of them
    scraped_at: float = -math.inf

    def note(self, answer: Answer) -> None:
        self.answer = answer
        self.tracker_id = answer.tracker_id or self.tracker_id
        self.external_ip = answer.external_ip or self.external_ip
        self.count(Counts(answer.seeders, answer.leechers, answer.downloaded))

    def count(self, counts: Counts) -> None:
        known = {name: value for name, value in attrs.asdict(counts).items() if value is not None}
        self.counts = attrs.evolve(self.counts, **known)


@attrs.define(eq=False)
class _Lane:
    groups: list[list[_Tracker]]  # tiers, each in the order in which its trackers are tried
    due: float = math.inf
    welcome_at: float = -math.inf  # the last answer wants no announce before, but for events
    asking: bool = False

    def __iter__(self) -> Iterator[_Tracker]:
        return (tracker for group in self.groups for tracker in group if tracker.unspoken is None)

    def next_time(self) -> float:
        return max(self.due, min((tracker.retry_at for tracker in self), default=math.inf))

    def next_tracker(self) -> _Tracker | None:
        """Who is asked at `next_time`."""
        at = self.next_time()
        return next((tracker for tracker in self if tracker.retry_at <= at < math.inf), None)

    def spare(self, gap: float, now: float) -> None:
        """Let it rest so long, unless there is news to tell."""
        self.welcome_at = max(self.welcome_at, now + gap)
        if self.due > now:
            self.due = max(self.due, self.welcome_at)

    def promote(self, tracker: _Tracker) -> None:
        group = next(group for group in self.groups if tracker in group)
        group.remove(tracker)
        group.insert(0, tracker)


class Tiers:
    """The trackers of one torrent. Nothing is due before `start`, nor after `stop`; the two may alternate."""

    def __init__(
        self,
        tiers: Sequence[Sequence[str]],
        *,
        random: Random,
        strict: bool = False,
        silenced: Mapping[str, str] | None = None,
    ) -> None:
        """At most 300 trackers are taken, each once, with its tier shuffled.

        `silenced` has URL schemes that must not be asked, and why not in words.
        """
        self._random = random
        groups = _shuffled(tiers, random)
        for tracker in (tracker for group in groups for tracker in group):
            tracker.unspoken = _unspoken(tracker.url, silenced or {})
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
        """The announce was answered; perhaps again, since it goes out over IPv4 and IPv6, and by each of two names."""
        tracker, lane = self._trackers[due.url], self._lane_of[due.url]
        if not tracker.asking or tracker.asked is not due:
            if tracker.heard is due and tracker.answer:
                tracker.note(_merged(tracker.answer, answer))
                lane.spare(_gap(answer), now)
            return  # else of a time before `stop`, or of a round before
        tracker.asking = lane.asking = False
        tracker.failures, tracker.error, tracker.tried_at = 0, None, now
        tracker.heard = due
        tracker.note(answer)
        tracker.started = True
        tracker.completed |= due.event is AnnounceEvent.COMPLETED
        lane.promote(tracker)
        lane.welcome_at = now + _gap(answer)
        lane.due = now if self._event(tracker) is not AnnounceEvent.NONE else now + answer.interval

    def failed(self, due: Due, error: TrackerError, now: float) -> None:
        """The announce failed. The next tracker of its lane is due at once, this one after a growing while."""
        tracker, lane = self._trackers[due.url], self._lane_of[due.url]
        if not tracker.asking or tracker.asked is not due:
            return  # of a time before `stop`, or of a round before
        tracker.asking = lane.asking = False
        tracker.failures += 1
        tracker.error, tracker.tried_at = str(error), now
        wished = error.retry_in if isinstance(error, Refused) else None
        tracker.retry_at = now + (self._back_off(tracker.failures) if wished is None else wished)

    def scrapes(self, now: float) -> tuple[str, ...]:
        """The trackers to scrape when someone wants figures: all that we speak to and did not scrape just before."""
        ready = [tracker for lane in self._lanes for tracker in lane if now >= tracker.scraped_at + SCRAPE_GAP]
        for tracker in ready:
            tracker.scraped_at = now
        return tuple(tracker.url for tracker in ready)

    def scraped(self, url: str, counted: Sequence[Counts]) -> None:
        """A scrape brought these figures, for each of the torrent's names that the tracker knows."""
        most = [_most(*numbers) for numbers in zip(*map(attrs.astuple, counted), strict=True)]
        if most:
            self._trackers[url].count(Counts(*most))

    def status(self, now: float) -> tuple[TrackerStatus, ...]:
        """Every tracker in the torrent's order of tiers, those that we cannot speak to included."""
        trackers = sorted(self._trackers.values(), key=lambda tracker: tracker.tier)
        return tuple(self._status(tracker, now) for tracker in trackers)

    def _places(self) -> int:
        return max(0, MAX_AT_ONCE - sum(lane.asking for lane in self._lanes))

    def _ask(self, lane: _Lane, tracker: _Tracker) -> Due:
        event = self._event(tracker)
        if event is AnnounceEvent.STARTED:
            tracker.completed = self._complete
        lane.asking = tracker.asking = True
        tracker.asked = Due(tracker.url, event, NUMWANT, tracker.tracker_id)
        return tracker.asked

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

    def _status(self, tracker: _Tracker, now: float) -> TrackerStatus:
        lane, answer = self._lane_of[tracker.url], tracker.answer
        planned = not lane.asking and lane.next_tracker() is tracker
        return TrackerStatus(
            url=tracker.url,
            tier=tracker.tier,
            state=self._state(tracker, planned),
            error=tracker.error,
            warning=answer.warning if answer else None,
            peers=len(answer.peers) if answer else 0,
            seeders=tracker.counts.seeders,
            leechers=tracker.counts.leechers,
            downloaded=tracker.counts.downloaded,
            next_announce=max(0.0, lane.next_time() - now) if planned else None,
            external_ip=tracker.external_ip,
        )

    def _state(self, tracker: _Tracker, planned: bool) -> str:
        if tracker.unspoken is not None:
            return tracker.unspoken
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


def _unspoken(url: str, silenced: Mapping[str, str]) -> str | None:
    """Why a tracker is never asked, in words; None if it may be."""
    scheme = url.partition(":")[0].lower()
    if scheme in silenced:
        return silenced[scheme]
    if scheme in SPOKEN:
        return None
    return f"not supported: {scheme[:10]}" if scheme.isalnum() else "not supported"


def _gap(answer: Answer) -> float:
    return MIN_GAP if answer.min_interval is None else answer.min_interval


def _merged(one: Answer, other: Answer) -> Answer:
    """What a tracker said over IPv4 and over IPv6, or of both names of a hybrid.

    Some count both kinds of peers together, some apart; and most peers of a hybrid are in both of its swarms.
    """
    return attrs.evolve(
        one,
        peers=tuple(dict.fromkeys(one.peers + other.peers)),
        seeders=_most(one.seeders, other.seeders),
        leechers=_most(one.leechers, other.leechers),
        warning=one.warning or other.warning,
        tracker_id=one.tracker_id or other.tracker_id,
        external_ip=one.external_ip or other.external_ip,
    )


def _most(*counted: int | None) -> int | None:
    return max((number for number in counted if number is not None), default=None)
