# SPDX-License-Identifier: GPL-3.0-or-later
"""A phantom decomposed with default settings, and which true phase each found one is."""

import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment

from hyperspy_psnmf import data


def unmix(name, settings=None, **phantom):
    """Return a decomposed phantom and the order of true phases that matches what was found.

    With default settings, but for those given.
    """
    s = getattr(data, name)(**phantom)
    truth = s.metadata.Truth.factors
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        s.decomposition(
            algorithm="PSNMF",
            output_dimension=truth.shape[1],
            print_info=False,
            show_progressbar=False,
            **(settings or {}),
        )
    found = s.learning_results.factors
    cosine = (truth / np.linalg.norm(truth, axis=0)).T @ (found / np.linalg.norm(found, axis=0))
    rows, columns = linear_sum_assignment(-cosine)
    return s, rows[np.argsort(columns)]
