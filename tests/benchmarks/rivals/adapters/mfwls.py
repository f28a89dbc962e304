# SPDX-License-Identifier: GPL-3.0-or-later
"""mfWLS: a model of the sum spectrum, then weighted least squares in each pixel.

After Wahlqvist & Ek, Microscopy and Microanalysis (2024), doi:10.1093/mam/ozae106. No program of
theirs was found to call, and only the abstract could be read, so these are the steps it names:

1. a model of X-ray lines and background is fitted to the sum spectrum: that of this package
   (`mfwls`), or eXSpy's, Gaussians and a polynomial of the sixth order (`mfwls_exspy`);
2. families of lines, and the background, are templates of fixed shape;
3. their coefficients in each pixel are those of least squares, weighted with the inverse of the
   variance that the fit of the sum expects in each channel. They may be negative.

Weights by the counts of single pixels would be those of zeros and ones. As the coefficients have
the noise of single pixels, they are also judged after a Gaussian filter of their maps.
"""

import warnings
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls

from tests.benchmarks.rivals.adapters.signals import eds_signal
from tests.benchmarks.rivals.exchange import Given, Returned

FLOOR = 1e-4  # of the mean expected counts, where the model has none


def model_of_package(signal, total: np.ndarray) -> np.ndarray:
    """Return families and background of this package's fit, (n_channels, n_templates)."""
    from hyperspy_psnmf.eds.lines.templates import find_templates
    from hyperspy_psnmf.eds.signals.map_input import MapInput

    found = find_templates(signal, MapInput.of(signal), total)
    weight = 1 / np.sqrt(np.maximum(total, 1))
    amounts = nnls(found.spectra.T * weight[:, None], total * weight)[0]
    fitted = found.spectra.T * amounts
    lines = found.lines.T * np.maximum(amounts[found.is_line], 1.0)
    return np.column_stack([lines, fitted[:, ~found.is_line].sum(axis=1)])


def model_of_exspy(signal, total: np.ndarray) -> np.ndarray:
    """Return families and background of eXSpy's fit, (n_channels, n_templates)."""
    model = signal.sum().create_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit()
        model.fit_background()
        model.fit()
    families = {}
    for component in model.xray_lines:
        # Weak lines of a family are tied to its main line by `twin`.
        main = component.A.twin or component.A
        families.setdefault(id(main), []).append(component)
    groups = [*families.values(), *([each] for each in model.background_components)]
    return np.column_stack([model.as_signal(component_list=group).data for group in groups])


def mfwls(given: Given, model=model_of_package, sigma: float = 0.0):
    """Model of the sum spectrum, weighted least squares, and a filter of `sigma` pixels."""
    counts = given.counts.astype(float)
    signal = eds_signal(given, "uint16")
    total = np.ravel(counts.sum(axis=0))

    def fit():
        shapes = model(signal, total)
        shapes = shapes[:, np.abs(shapes).sum(axis=0) > 0]
        expected = np.maximum(shapes.sum(axis=1), 0)
        variance = np.maximum(expected, FLOOR * expected.mean())
        weighted = shapes / variance[:, None]
        coefficients = np.linalg.solve(shapes.T @ weighted, (counts @ weighted).T).T
        maps = coefficients.reshape(*given.shape, -1)
        smooth = gaussian_filter(maps, (sigma, sigma, 0)).reshape(coefficients.shape)
        return Returned(loadings=smooth, factors=shapes, phases=False, signed=True)

    return fit


mfwls_1 = partial(mfwls, sigma=1.0)
mfwls_2 = partial(mfwls, sigma=2.0)
mfwls_exspy = partial(mfwls, model=model_of_exspy)
