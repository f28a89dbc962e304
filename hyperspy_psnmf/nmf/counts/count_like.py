# SPDX-License-Identifier: GPL-3.0-or-later
r"""Tests of whether the values of a map are Poisson counts.

Three tests, which together find counts that have been scaled, rounded or smoothed:

- Scaled counts are multiples of the scale: `find_step` finds the largest number of which all
  values are multiples, which is 1 for counts.
- Scaled and rounded counts leave gaps in the histogram of values: counts multiplied by 2.5 are
  never 1 or 4. For any mixture of Poisson distributions :math:`q_n = n! P(n)` is log-convex,
  :math:`q_n^2 \le q_{n-1} q_{n+1}` (Cauchy-Schwarz, as :math:`q_n` are moments of the mixture);
  `have_gaps` tests that.
- Smoothed counts differ too little between neighbours: two independent Poisson counts
  :math:`a, b` of any expectations have

  .. math:: E[(a - b)^2] = E[a + b] + (E[a] - E[b])^2 \ge E[a + b];

  `are_smooth` tests that along pixels and along channels.
"""

import numpy as np

# Limits of work.
SAMPLE_SIZE = 20_000  # values taken at equal distances
MAX_DISTINCT = 2000  # different values compared with multiples of a step
MAX_MULTIPLE = 1000  # largest ratio of a value to the smallest one that is compared
MAX_STEPS = 100  # of which the smallest value may consist
MIN_VALUES = 20  # fewer are multiples of anything by chance
# Relative rounding error of single precision after a few operations. Multiples of up to 100 000
# are distinguished then.
PRECISION = 1e-6
MAX_EXACT = 2.0**53  # largest whole number up to which float64 is exact

# Ratio of the sum of squared differences to the sum of counts, below which values are smooth.
# Counts have 1 at least; running means over two pixels have 0.5, over three a third. Channels of
# one real map, as its detector recorded them, have 0.84.
MAX_SMOOTH_RATIO = 0.7
SIGNIFICANT = 8.0  # standard errors
MAX_COUNT = 64  # counts up to which the histogram is tested for gaps
MIN_GAP_RATIO = 1.5  # of the frequency of a value to the largest that its neighbours allow


def find_step(values: np.ndarray) -> float | None:
    """Return the largest number that values are multiples of.

    Parameters
    ----------
    values : ndarray
        Not negative; zeros are ignored. A sample of them is used.

    Returns
    -------
    float or None
        1.0 for counts, and for fewer than `MIN_VALUES` values; None where there is no such
        number.
    """
    values = _some(values)
    if values.size < MIN_VALUES:
        return 1.0
    distinct, how_often = np.unique(values, return_counts=True)
    if distinct.dtype.kind != "f":
        return float(np.gcd.reduce(distinct))
    if distinct[-1] < MAX_EXACT and (distinct == np.floor(distinct)).all():
        return float(np.gcd.reduce(distinct.astype(np.int64)))
    near = distinct <= MAX_MULTIPLE * distinct[0]
    if how_often[near].sum() < values.size / 2:
        return None
    return _step_of_floats(distinct[near].astype(np.float64))


def have_gaps(values: np.ndarray) -> bool:
    """Return whether the histogram of values has gaps that counts do not have.

    Parameters
    ----------
    values : ndarray
        Whole numbers; a sample of them is used.
    """
    values = _some(values)
    n = np.bincount(values[values <= MAX_COUNT].astype(np.int64), minlength=4) + 1.0
    k = np.arange(2, n.size - 1)
    most = np.sqrt((k + 1) / k * n[1:-2] * n[3:])
    scatter = np.sqrt(n[2:-1] + most**2 / 4 * (1 / n[1:-2] + 1 / n[3:]))
    return bool((n[2:-1] > np.maximum(MIN_GAP_RATIO * most, most + SIGNIFICANT * scatter)).any())


def _some(values):
    values = values[:: max(1, values.size // SAMPLE_SIZE)]
    return values[values > 0]


def _step_of_floats(distinct):
    """Return the step of ascending values, which is the smallest over a whole number."""
    if distinct.size > MAX_DISTINCT:
        distinct = distinct[np.linspace(0, distinct.size - 1, MAX_DISTINCT).astype(int)]
    for n_smallest in range(1, MAX_STEPS + 1):
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
    """Return along which axes, "pixels" or "channels", neighbours differ by less than counts do.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_channels)
        Values. Pixels that follow each other are neighbours, or independent anyway.
    expected : ndarray of the same shape, optional
        Expected values, whose differences between neighbours are subtracted.
    step : float
        Value of one count, from `find_step`.
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
    return bool(
        differences < MAX_SMOOTH_RATIO * total and total - differences > SIGNIFICANT * scatter
    )
