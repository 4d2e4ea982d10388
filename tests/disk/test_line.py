"""Jobs that are done one after the other, and nobody who waits for another."""

from __future__ import annotations

import threading
from functools import partial

from trio_torrent.disk.line import Line


class Notes(list[tuple[str, int]]):
    """What was done, and in which thread."""

    def add(self, name: str) -> None:
        self.append((name, threading.get_ident()))


def test_jobs_are_done_in_order_by_who_brings_them():
    line, notes = Line(), Notes()
    for name in ("first", "second", "third"):
        line.do(partial(notes.add, name))
    assert notes == [(name, threading.get_ident()) for name in ("first", "second", "third")]


def test_what_comes_meanwhile_is_left_to_who_is_at_it():
    line, notes = Line(), Notes()
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        assert go_on.wait(10)
        notes.add("slow")

    thread = threading.Thread(target=line.do, args=(slow,))
    thread.start()
    assert begun.wait(10)
    for name in ("second", "third"):
        line.do(partial(notes.add, name))  # does not wait
    assert not notes
    go_on.set()
    thread.join(10)
    assert notes == [(name, thread.ident) for name in ("slow", "second", "third")]
    line.do(partial(notes.add, "last"))
    assert notes[-1] == ("last", threading.get_ident())


def test_a_job_that_brings_another_does_not_do_it_inside_itself():
    line, done = Line(), list[str]()

    def first() -> None:
        line.do(lambda: done.append("second"))
        done.append("first")

    line.do(first)
    assert done == ["first", "second"]


def test_never_two_at_once():
    line, inside, most, count = Line(), 0, 0, 0

    def job() -> None:
        nonlocal inside, most, count
        inside += 1
        most = max(most, inside)
        count += 1
        inside -= 1

    def bring() -> None:
        for _ in range(500):
            line.do(job)

    threads = [threading.Thread(target=bring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    line.do(job)  # whoever was at it last has left nothing
    assert (most, count) == (1, 2001)
