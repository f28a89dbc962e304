# SPDX-License-Identifier: GPL-3.0-or-later
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from hyperspy_psnmf.nmf.solver.alternation import GROWTH, MAX_TRIES, SHORTEST_STEP, extrapolate

SETTINGS = hypothesis.settings(max_examples=60, deadline=None, derandomize=True)


def search(loss, step=1.0):
    """Search along a function of the step; return the point, the next step and steps tried."""
    tried = []

    def try_step(step):
        tried.append(step)
        return SimpleNamespace(loss=loss(step), step=step)

    found = SimpleNamespace(loss=loss(0.0), step=0.0)
    return *extrapolate(try_step, found, step), tried


def test_extrapolate__the_step_grows_while_the_objective_falls():
    point, step, tried = search(lambda s: -s, 0.5)
    assert tried == pytest.approx(0.5 * GROWTH ** np.arange(MAX_TRIES))
    assert point.step == step == tried[-1]


def test_extrapolate__beyond_the_lowest_point_it_turns_back_to_the_best():
    point, step, tried = search(lambda s: (s - 10) ** 2)
    assert tried == [1, GROWTH, GROWTH**2, GROWTH**3]
    assert point.step == step == GROWTH**2


def test_extrapolate__a_step_that_is_too_long_shrinks_until_the_objective_falls_once():
    point, step, tried = search(lambda s: (s - 1) ** 2, 2 * GROWTH**2)
    assert tried == pytest.approx([2 * GROWTH**2, 2 * GROWTH, 2.0, 2 / GROWTH])
    assert point.step == step == tried[-1]


def test_extrapolate__where_nothing_is_lower_it_stays_and_begins_shorter_next_time():
    point, step, tried = search(lambda s: s)
    assert point.step == 0
    assert tried == pytest.approx([1, 1 / GROWTH, 1 / GROWTH**2, 1 / GROWTH**3])
    assert step == SHORTEST_STEP
    assert search(lambda s: s, 2.0 * GROWTH ** (MAX_TRIES + 1))[1] == pytest.approx(2.0 * GROWTH)


def test_extrapolate__a_point_as_low_is_not_lower():
    found = search(lambda s: 0.0)
    assert found[0].step == 0
    assert found[1] == SHORTEST_STEP


def test_extrapolate__the_shortest_step_is_tried():
    assert search(lambda s: s, SHORTEST_STEP)[2] == [SHORTEST_STEP, SHORTEST_STEP / GROWTH]
    assert search(lambda s: s, SHORTEST_STEP / 2)[2] == [SHORTEST_STEP / 2]


def test_extrapolate__the_next_step_is_never_below_the_shortest():
    point, step, _ = search(lambda s: -s if s < 0.5 * SHORTEST_STEP else s, SHORTEST_STEP)
    assert 0 < point.step < SHORTEST_STEP
    assert step == SHORTEST_STEP


@SETTINGS
@hypothesis.given(
    st.lists(st.floats(-5, 5), min_size=MAX_TRIES, max_size=MAX_TRIES), st.floats(0.01, 100)
)
def test_extrapolate__whatever_the_objective_the_lowest_point_tried_is_returned(losses, step):
    values = iter(losses)
    seen = [0.0]

    def loss(step):
        if step:
            seen.append(next(values))
        return seen[-1]

    point, next_step, tried = search(loss, step)
    assert point.loss == min(seen)
    assert next_step >= SHORTEST_STEP
    assert len(tried) <= MAX_TRIES
