"""The collector rests while a command is loaded, and only then."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from trio_torrent.cli.garbage import loaded, uncollected


class Knot:
    """Refers to itself, so that only the collector can tell that nobody else does."""

    def __init__(self) -> None:
        self.itself = self


def test_it_works_again_when_all_is_loaded():
    with uncollected():
        assert not gc.isenabled()
        loaded()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 10_000
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_it_works_again_when_loading_has_failed():
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()


def test_what_was_frozen_can_go_afterwards():
    with uncollected():
        knot = weakref.ref(Knot())
        loaded()
    gc.collect()
    assert knot() is None


def test_nothing_is_collected_when_the_program_ends():
    code = """
import atexit, gc
from trio_torrent.cli.garbage import loaded, uncollected
atexit.register(lambda: print(gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000))
with uncollected():
    loaded()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
