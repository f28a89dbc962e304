# SPDX-License-Identifier: GPL-3.0-or-later
r"""Are values counts? The step between them, how often they occur, the scatter of neighbours.

Counts are multiples of one, and what a number was multiplied by is the largest step of which
all values are multiples. Two independent Poisson counts :math:`a, b` of any expectations have

.. math:: E[(a - b)^2] = E[a + b] + (E[a] - E[b])^2 \ge E[a + b],

so that neighbours which differ by less have been smoothed, whatever the map is. And
:math:`q_n = n! P(n)` is log-convex, :math:`q_n^2 \le q_{n-1} q_{n+1}`, for any mixture of
Poisson counts (Cauchy-Schwarz, as :math:`q_n` are moments of the mixture). Counts
multiplied by 2.5 and rounded leave gaps, where it is not.
"""

import numpy as np

SAMPLE = 20_000  # values that are looked at
FEWEST = 20  # values; fewer are multiples of anything by chance
MOST_DISTINCT = 2000
# Single precision, rounded a few times. Multiples of up to 100 000 are distinguished then.
PRECISION = 1e-6
LARGEST_RATIO = 1000  # of a value to the smallest
LARGEST_SMALLEST = 100  # steps in the smallest value
EXACT = 2.0**53  # floats are no longer single whole numbers beyond

# Of squared differences to sums. Counts have 1 at least; running means over two pixels have 0.5,
# over three a third. Channels of one real map, as its detector recorded them, have 0.84.
SMOOTH_RATIO = 0.7
CLEARLY = 8.0  # standard errors
MOST_COUNTED = 64  # values up to which gaps are looked for
GAP_RATIO = 1.5  # of how often a value occurs to how often it can at most


def find_step(values: np.ndarray) -> float | None:
    """Return the largest number that values are multiples of.

    Parameters
    ----------
    values : ndarray
        Not negative; zeros say nothing. A sample of them is looked at.

    Returns
    -------
    float or None
        1.0 for counts, and for fewer than 20 values; None where there is no such number.
    """
    values = _some(values)
    if values.size < FEWEST:
        return 1.0
    distinct, how_often = np.unique(values, return_counts=True)
    if distinct.dtype.kind != "f":
        return float(np.gcd.reduce(distinct))
    if distinct[-1] < EXACT and (distinct == np.floor(distinct)).all():
        return float(np.gcd.reduce(distinct.astype(np.int64)))
    near = distinct <= LARGEST_RATIO * distinct[0]
    if how_often[near].sum() < values.size / 2:
        return None
    return _step_of_floats(distinct[near].astype(np.float64))


def have_gaps(values: np.ndarray) -> bool:
    """Return whether some values are too rare for counts, given how often their neighbours are.

    Parameters
    ----------
    values : ndarray
        Whole numbers; a sample is looked at.
    """
    values = _some(values)
    n = np.bincount(values[values <= MOST_COUNTED].astype(np.int64), minlength=4) + 1.0
    k = np.arange(2, n.size - 1)
    most = np.sqrt((k + 1) / k * n[1:-2] * n[3:])
    scatter = np.sqrt(n[2:-1] + most**2 / 4 * (1 / n[1:-2] + 1 / n[3:]))
    return bool((n[2:-1] > np.maximum(GAP_RATIO * most, most + CLEARLY * scatter)).any())


def _some(values):
    values = values[:: max(1, values.size // SAMPLE)]
    return values[values > 0]


def _step_of_floats(distinct):
    """Return the step of ascending values, which is the smallest over a whole number."""
    if distinct.size > MOST_DISTINCT:
        distinct = distinct[np.linspace(0, distinct.size - 1, MOST_DISTINCT).astype(int)]
    for n_smallest in range(1, LARGEST_SMALLEST + 1):
        ratio = distinct * (n_smallest / distinct[0])
        multiple = np.rint(ratio)
        if (np.abs(ratio - multiple) <= PRECISION * ratio).all():
            return _without_rounding(float(distinct @ multiple / (multiple @ multiple)))
    return None


def _without_rounding(step):
    """Return a whole number, or one over it, where a step is as good as that."""
    for near in (round(step), 1 / max(1, round(1 / step))):
        if abs(step - near) <= PRECISION * step:
            return float(near)
    return step


def are_smooth(X, expected=0.0, step: float = 1.0) -> list[str]:
    """Return which neighbours differ by less than counts do: of "pixels" and "channels".

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_channels)
        Values. Pixels that follow each other are neighbours, or as independent.
    expected : ndarray of the same shape, optional
        A model: what it gets right hides nothing.
    step : float
        What one count is.
    """
    counts, rest = X / step, (X - expected) / step
    names = ("pixels", "channels")
    return [name for axis, name in enumerate(names) if _differ_too_little(counts, rest, axis)]


def _differ_too_little(counts, rest, axis):
    one, other = counts.swapaxes(0, axis)[:-1], counts.swapaxes(0, axis)[1:]
    both = one + other
    differences = (np.diff(rest, axis=axis) ** 2).sum()
    # The variance of the squared difference of Poisson counts.
    scatter = np.sqrt((2 * both**2 + both).sum())
    total = both.sum()
    return bool(differences < SMOOTH_RATIO * total and total - differences > CLEARLY * scatter)
