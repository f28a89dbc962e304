# SPDX-License-Identifier: GPL-3.0-or-later
"""mfWLS: a model of the sum spectrum, then weighted least squares in each pixel.

After Wahlqvist & Ek, Microscopy and Microanalysis (2024), ozae106, of which no program was found
to call; this is made of eXSpy's model:

1. the sum spectrum is fitted with Gaussians for the lines of all elements, widths of the
   detector and ratios within a family from tables, and a polynomial of the sixth order
   (`create_model`, `fit`, `fit_background`, `fit`);
2. the families and the background are templates of fixed shape;
3. their coefficients in each pixel are those of least squares, weighted with the inverse of
   the variance that the fit of the sum spectrum expects in each channel.

Weights by the counts of single pixels would be those of zeros and ones.
"""

import warnings

import numpy as np

from tests.benchmarks.rivals.adapters.signals import eds_signal
from tests.benchmarks.rivals.exchange import Given, Returned

FLOOR = 1e-4  # of the mean expected counts, where the model has none


def fitted_model(total):
    """Return eXSpy's model, fitted to a sum spectrum."""
    model = total.create_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit()
        model.fit_background()
        model.fit()
    return model


def templates(model) -> np.ndarray:
    """Return the spectra of families and of the background, of shape (n_channels, n_templates)."""
    families = {}
    for component in model.xray_lines:
        # Weak lines of a family are tied to its main line by `twin`.
        main = component.A.twin or component.A
        families.setdefault(id(main), []).append(component)
    groups = [*families.values(), *([each] for each in model.background_components)]
    return np.column_stack([model.as_signal(component_list=group).data for group in groups])


def mfwls(given: Given):
    """Model of the sum spectrum and weighted least squares."""
    counts = given.counts.astype(float)
    total = eds_signal(given, "uint32").sum()
    total.change_dtype(float)

    def fit():
        shapes = templates(fitted_model(total))
        shapes = shapes[:, np.abs(shapes).sum(axis=0) > 0]
        expected = np.maximum(shapes.sum(axis=1), 0)
        variance = np.maximum(expected, FLOOR * expected.mean())
        weighted = shapes / variance[:, None]
        coefficients = np.linalg.solve(shapes.T @ weighted, (counts @ weighted).T).T
        return Returned(loadings=coefficients, factors=shapes, phases=False, signed=True)

    return fit
