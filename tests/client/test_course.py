"""How far a torrent has come, and who is let go when it comes no farther."""

import pytest

from trio_torrent.client.course import Course
from trio_torrent.client.status import State
from trio_torrent.errors import StoppedError, TorrentError


def milestones(course: Course) -> tuple[bool, bool, bool]:
    return course.learned.is_set(), course.ready.is_set(), course.ended.is_set()


@pytest.mark.parametrize(("known", "state"), [(True, State.CHECKING), (False, State.METADATA)])
def test_what_began_as_a_link_is_yet_to_be_learned(known: bool, state: State):
    course = Course(known=known)
    assert (course.state, milestones(course), course.is_stopped) == (state, (known, False, False), False)


def test_it_is_complete_until_more_is_wanted():
    course = Course(known=True)
    course.seed()
    complete = course.ended
    course.download()
    assert (course.state, complete.is_set(), course.ended.is_set()) == (State.DOWNLOADING, True, False)
    waited_for = course.ended
    course.download()
    assert course.ended is waited_for, "whoever waits for it still does"


def test_stopped_before_its_end_it_says_so():
    course = Course(known=False)
    course.stop("a name")
    assert (course.state, milestones(course), course.is_stopped) == (State.STOPPED, (True, True, True), True)
    assert isinstance(course.error, StoppedError)
    assert "a name" in str(course.error)


def test_stopped_after_its_end_nothing_is_wrong():
    course = Course(known=True)
    course.seed()
    course.stop("a name")
    assert (course.state, course.error) == (State.STOPPED, None)


def test_what_made_it_fail_stays_the_reason():
    course, error = Course(known=True), TorrentError("no")
    course.fail(error)
    assert milestones(course) == (True, True, True)
    course.stop("a name")
    assert (course.state, course.error) == (State.FAILED, error)
