# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.label_map()``: one phase for each pixel, or none."""

import numpy as np
from scipy.special import ndtri

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.signals.build import images_like
from hyperspy_psnmf.eds.uncertainty.standard_errors import covariance_of_loadings
from hyperspy_psnmf.nmf.diagnostics.deviance import tail_probabilities
from hyperspy_psnmf.nmf.uncertainty.labels import Labels, label_pixels
from hyperspy_psnmf.nmf.validation import check_confidence

LEFT_OUT = -2  # of the decomposition, by its mask; unassigned is -1
QUANTITY = "Number of the phase"


def find_labels(decomposed: Decomposed, confidence: float) -> Labels:
    """Return the labels of the pixels in use.

    A pixel is unassigned where no loading is significant, or where its deviance is: at a level
    that in a map of this size, if the model is true, leaves no pixel unassigned for this reason
    with a probability of at least `confidence` (Bonferroni).
    """
    check_confidence(confidence, lowest=0.5)
    W, H, record = decomposed.W, decomposed.H, decomposed.record
    n_averaged, used = record.n_pixels_behind, decomposed.pixels_in_use
    with decomposed.open_counts() as X:
        by_noise = tail_probabilities(
            X, W, H, n_averaged=n_averaged, prior_weights=record.prior_weights, n_jobs=None
        )
    limit = (1.0 - confidence) / decomposed.n_pixels
    return label_pixels(
        W[used],
        covariance_of_loadings(decomposed)[used],
        confidence=confidence,
        n_averaged=None if n_averaged is None else n_averaged[used],
        fits=ndtri(by_noise[used]) - ndtri(limit),
    )


def label_map(decomposed: Decomposed, labels: Labels):
    """Return labels as a signal; see the accessor."""
    values = np.full(len(decomposed.loadings), LEFT_OUT, dtype=np.int16)
    values[decomposed.pixels_in_use] = labels.values
    found = images_like(decomposed.signal, values, "Label map", QUANTITY)
    found.metadata.set_item("Phases.names", decomposed.names)
    return found
