# SPDX-License-Identifier: GPL-3.0-or-later
"""All phantoms, and what their truth says of them."""

import numpy as np
from exspy.material import elements

from hyperspy_psnmf import data

SHAPE = (11, 14)
PHANTOMS = [getattr(data, name) for name in data.__all__]
FAST = {"shape": SHAPE, "seed": 3}


def angle(a, b):
    return np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def line_energy(name):
    element, line = name.split("_")
    return elements[element].Atomic_properties.Xray_lines[line]["energy (keV)"]


def expected_counts(signal):
    truth = signal.metadata.Truth
    return (truth.loadings @ truth.factors.T).reshape(signal.data.shape)


def as_plain(truth):
    return truth.as_dictionary()


def noise_free(signal, phase):
    """One spectrum of a pure phase, without noise."""
    spectrum = signal.inav[0, 0].deepcopy()
    index = signal.metadata.Truth.phase_names.index(phase)
    spectrum.data = 1e6 * signal.metadata.Truth.factors[:, index]
    return spectrum
