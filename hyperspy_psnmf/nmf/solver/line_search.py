# SPDX-License-Identifier: GPL-3.0-or-later
"""Extrapolated line search along the last update: the enhanced line search of `alternating`."""

from collections.abc import Callable
from typing import Protocol

# In units of the last update. A try costs a fraction of an alternation; the numbers change the
# time to convergence, not the optimum.
SHORTEST_STEP, GROWTH, MAX_TRIES = 0.1, 3.0, 6


class Point(Protocol):
    """Anything with an objective, `loss`."""

    loss: float


def extrapolate(try_step: Callable[[float], Point], found: Point, step: float):
    """Return the lowest point tried, and the step to begin with next time.

    Parameters
    ----------
    try_step : callable
        Returns the point that many times the last update beyond `found`.
    found : Point
        Where the last update ended; returned if no point tried is lower.
    step : float
        The first step to try. It grows while the objective falls; if it does not
        even once, it shrinks.
    """
    best, best_step, turned = found, 0.0, False
    for _ in range(MAX_TRIES):
        point = try_step(step)
        if point.loss < best.loss:
            best, best_step = point, step
            if turned:
                break
            step *= GROWTH
        elif best_step or step < SHORTEST_STEP:
            break
        else:
            turned, step = True, step / GROWTH
    return best, max(best_step or step, SHORTEST_STEP)
