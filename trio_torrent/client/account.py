"""How a torrent stands: as users see it, as trackers are told, and as its record has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trio_torrent.swarm.scheduler import Swarm

from .content import Tally
from .course import Course
from .finding import Finding
from .session import Session
from .sessions import Sessions
from .status import State, Status, in_words
from .subject import Subject

if TYPE_CHECKING:
    from trio_torrent.tracker.announce import Totals

# What trackers are told is left while nobody knows: one block. Of those who say 0 they think that they have it all.
UNKNOWN_LEFT = 16 * 1024


@attrs.define(eq=False)
class Account:
    """Of one torrent. What was counted in its sessions outlives them."""

    subject: Subject
    course: Course
    sessions: Sessions
    checked: int = 0  # pieces looked at, while checking
    _before: Swarm = attrs.field(init=False, factory=Swarm.nothing)  # the sessions that are over
    _session: Session | None = attrs.field(init=False, default=None)

    def begin(self, session: Session) -> None:
        """What this one counts is added from here on."""
        self._session = session

    def end(self) -> None:
        """The session is over: nobody is there, and what was counted stays."""
        last = self.swarm
        self._session = None
        self._before = attrs.evolve(
            Swarm.nothing(), downloaded=last.downloaded, uploaded=last.uploaded, wasted=last.wasted
        )

    @property
    def swarm(self) -> Swarm:
        """With what was counted in all sessions up to now."""
        return self._session.snapshot(self._before) if self._session is not None else self._before

    @property
    def state(self) -> State:
        """What the torrent is doing."""
        return self.sessions.state or self.course.state

    def totals(self) -> Totals:
        """For trackers."""
        from trio_torrent.tracker.announce import Totals  # here: it is there when they are

        swarm, progress = self.swarm, self.subject.progress
        left = UNKNOWN_LEFT if self.subject.known is None else progress.total - progress.done
        return Totals(swarm.uploaded, swarm.downloaded, left)

    def tally(self, finding: Finding) -> Tally:
        """For the record."""
        last = self.subject.known.content.last_run if self.subject.known is not None else Tally((), 0, 0)
        swarm = self.swarm
        return Tally(finding.worked, last.downloaded + swarm.downloaded, last.uploaded + swarm.uploaded)

    def status(self, finding: Finding, *, is_read: bool) -> Status:
        """For users. `is_read` says that somebody reads a file that is not all there."""
        swarm, state, tally, progress = self.swarm, self.state, self.tally(finding), self.subject.progress
        trackers, dht, known = finding.trackers, finding.dht, self.subject.known
        web_seeds = known.web_seeds.status if known is not None else ()
        awaits = state in (State.METADATA, State.DOWNLOADING) or (state is State.SEEDING and is_read)
        stall = swarm.stall if awaits else None
        return Status(
            state=state,
            done=progress.done,
            total=progress.total,
            pieces_done=progress.have.count,
            pieces=progress.geometry.pieces,
            checked=self.checked,
            downloaded=swarm.downloaded,
            uploaded=swarm.uploaded,
            wasted=swarm.wasted,
            down_rate=swarm.down_rate,
            up_rate=swarm.up_rate,
            peers=swarm.peers,
            seeds=swarm.seeds,
            known=swarm.known,
            named=swarm.named,
            stall=stall,
            reason=str(self.sessions.error) if state is State.WAITING else in_words(stall, trackers, dht, web_seeds),
            trackers=trackers,
            web_seeds=web_seeds,
            dht=dht,
            allocated=known.content.allocated if known is not None else 0,
            ever_downloaded=tally.downloaded,
            ever_uploaded=tally.uploaded,
        )
