"""A little of `python -m tests.fuzz` in every run."""

import pytest

from tests.fuzz import TARGETS, fuzz

COUNT = 20_000


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_gives_a_value_or_a_declared_error(name):
    taken = fuzz(TARGETS[name], COUNT, seed=7)
    assert COUNT // 100 < taken < COUNT  # neither all good nor all rubbish: the damage reaches deep
