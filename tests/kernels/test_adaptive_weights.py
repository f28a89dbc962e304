# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from hyperspy_psnmf.kernels.adaptive_weights import fit_samples, sum_neighbours


def likelihood_ratio(x, z, n, q, means, others):
    """Return twice the logarithm of that of two samples of n and q observations."""
    if n + q == 0:
        return 0.0
    pooled = (n * means + q * others) / (n + q)
    terms = x * np.log(means / pooled) + z * np.log(others / pooled)
    return max(0.0, 2 * terms[x + z > 0].sum())


def naive_sums(Y, x, n, means, offsets, locations, scale, n_rows):
    """Pixel by pixel; a pair of the 3 x 3 that leaves the slice is no pair."""
    n_columns = n.shape[1]

    def contrast(a, b):
        (y, i), (v, w) = a, b
        inside = 0 <= i < n_columns and 0 <= w < n_columns and 0 <= y < len(n) and 0 <= v < len(n)
        if not inside or y // n_rows != v // n_rows or n[y, i] * n[v, w] == 0:
            return 0.0
        samples = x[y, :, i], x[v, :, w], n[y, i], n[v, w], means[y, :, i], means[v, :, w]
        return scale * likelihood_ratio(*samples)

    sums, weights = np.zeros(Y.shape), np.zeros(n.shape)
    near = [(p, q) for p in (-1, 0, 1) for q in (-1, 0, 1)]
    for y, i in np.ndindex(n.shape):
        both = [(0, 0), *offsets, *-offsets]
        for (dy, dx), location in zip(both, [1.0, *locations, *locations], strict=True):
            v, w = y + dy, i + dx
            same = 0 <= v < len(n) and 0 <= w < n_columns and v // n_rows == y // n_rows
            if not same or n[y, i] == 0 or n[v, w] == 0:
                continue
            around = [(p, q) for p, q in near if (y + p) // n_rows == y // n_rows]
            t = max(contrast((y + p, i + q), (v + p, w + q)) for p, q in around)
            weight = location * min(1.0, max(0.0, 2.0 - 2.0 * t))
            weights[y, i] += weight
            sums[y, :, i] += weight * Y[v, :, w]
    return sums, weights


def samples(shape=(62, 5, 7), seed=3):
    """Return values to sum, and counts, numbers of observations and loadings to compare."""
    rng = np.random.default_rng(seed)
    n_rows, n_values, n_columns = shape
    n = rng.integers(0, 4, (n_rows, n_columns)).astype(np.float32)
    W, ratios = rng.gamma(2.0, 1.0, (n_rows * n_columns, 2)), rng.random((2, n_values)) + 0.2
    means = (W @ ratios).reshape(n_rows, n_columns, n_values).transpose(0, 2, 1)
    x = rng.poisson(n[:, None] * means).astype(np.float32)
    return rng.poisson(3.0, shape).astype(np.float32), x, n, W, ratios, means


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_sum_neighbours__sums_over_neighbours_equal_the_naive_ones(n_jobs):
    Y, x, n, W, ratios, means = samples()
    n_rows = 31  # more than a block
    offsets = np.array([(0, 1), (2, -1), (3, 0), (0, 9), (1, 2)])
    window = {"offsets": offsets, "locations": [0.9, 0.4, 0.3, 0.2, 0.6], "scale": 0.04}
    compared = fit_samples(x, n, W, ratios, n_jobs=n_jobs)
    found = sum_neighbours(Y, compared, n_rows=n_rows, n_jobs=n_jobs, **window)
    expected = naive_sums(Y, x, n, means, *window.values(), n_rows)
    assert len(np.unique(expected[1])) > 50  # weights of all kinds
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-30, 1e30])
def test_sum_neighbours__the_unit_of_the_fits_does_not_matter(scale):
    n = np.ones((1, 2), np.float32)
    x = np.array([[[28.0, 76.0]]], np.float32)
    t = 2 * (28 * np.log(28 / 52) + 76 * np.log(76 / 52))
    _, weights = sum_neighbours(
        x,
        fit_samples(x, n, np.array([[28.0], [76.0]]) * scale, np.ones((1, 1))),
        offsets=np.array([(0, 1)]),
        locations=[1.0],
        scale=0.8 / t,
        n_rows=1,
    )
    assert weights[0, 0] == pytest.approx(1 + 2 - 2 * 0.8, abs=2e-3)


@pytest.mark.slow
def test_sum_neighbours__counts_that_both_fits_explain_alike_do_not_matter():
    """Two pixels are fitted with different components, that their counts do not distinguish."""
    n = np.ones((1, 2), np.float32)
    W, ratios = np.diag([9.0, 9.0]), np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])

    def weight(counts):
        x = np.array([counts, counts[:1] + counts[:0:-1]], np.float32).T[None]
        compared = fit_samples(np.ascontiguousarray(x), n, W, ratios)
        window = {"offsets": np.array([(0, 1)]), "locations": [1.0], "scale": 1 / 16.0}
        return sum_neighbours(x, compared, n_rows=1, **window)[1][0, 0]

    assert weight([9.0, 0.0, 0.0]) == 2
    assert weight([3.0, 6.0, 0.0]) < 1 + 1e-6


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_fit_samples__fits_and_their_logarithms_are_those_of_numpy(n_jobs):
    _, x, n, W, ratios, means = samples()
    found = fit_samples(x, n, W, ratios, n_jobs=n_jobs)
    assert all(each.dtype == np.float32 for each in found)
    np.testing.assert_allclose(found.fits, n[:, None] * means, rtol=1e-5)
    np.testing.assert_allclose(found.own, (x * np.log(means)).sum(axis=1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.total, x.sum(axis=1))
    assert found.x is x
    assert found.n is n
