# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps unmixed perfectly, to quantify."""

import numpy as np

# What the specimen itself absorbs: phantoms know it, so quantification is told.
LAMELLA = {"absorption_correction": True, "thickness": 100.0, "density": 4.1}


def as_found(signal):
    """Return a copy with the true maps and spectra as learning results."""
    signal, truth = signal.deepcopy(), signal.metadata.Truth
    results = signal.learning_results
    results.factors, results.loadings = truth.factors, truth.loadings
    results.decomposition_algorithm, results.output_dimension = "truth", truth.factors.shape[1]
    results.psnmf = {"phase_names": list(truth.phase_names)}
    return signal


def truth_of(signal, unit="atomic_percent"):
    """Return {element: per cent of each phase}."""
    truth = signal.metadata.Truth[unit].as_dictionary()
    return {
        element: np.array([phase.get(element, 0.0) for phase in truth.values()])
        for element in signal.metadata.Sample.elements
    }
