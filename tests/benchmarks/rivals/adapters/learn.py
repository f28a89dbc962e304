# SPDX-License-Identifier: GPL-3.0-or-later
"""scikit-learn's Poisson NMF, and SciPy's Gaussian filter."""

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import NMF

from tests.benchmarks.rivals.exchange import Given, Returned


def sklearn_kl(given: Given):
    """NMF with the Kullback-Leibler divergence at full resolution, 200 sweeps at most."""
    counts = given.counts.astype(float)
    counts.indices, counts.indptr = (a.astype(np.int32) for a in (counts.indices, counts.indptr))
    model = NMF(given.n_phases, solver="mu", beta_loss="kullback-leibler", random_state=0)

    def unmix():
        return Returned(loadings=model.fit_transform(counts), factors=model.components_.T)

    return unmix


def gaussian(given: Given, sigma: float):
    """Maps of lines by windows, filtered; the filter and the windows commute."""

    def smooth():
        maps = (given.counts @ given.windows).reshape(*given.shape, -1)
        smoothed = gaussian_filter(maps, (sigma, sigma, 0))
        return Returned(line_maps=smoothed.reshape(-1, maps.shape[-1]), phases=False, signed=True)

    return smooth


gaussian_1 = partial(gaussian, sigma=1.0)
gaussian_2 = partial(gaussian, sigma=2.0)
