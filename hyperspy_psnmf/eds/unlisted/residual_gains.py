# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a spectrum's residual further lines or peaks explain."""

from dataclasses import replace

import numpy as np
from scipy.linalg import block_diag
from scipy.optimize import nnls

from hyperspy_psnmf.eds.line_model.calibration import solve
from hyperspy_psnmf.eds.line_model.detector_artefacts import with_sum_peaks
from hyperspy_psnmf.eds.line_model.linear_model import families
from hyperspy_psnmf.eds.xray.detector import peak_fwhm

# Of a peak, beside lines that are a little off their places. With less, its counts would
# have ten times the error that they have alone: the two are the same peak.
NEW = 0.1
PLACES = 0.002  # keV, standard deviation of the places of lines


class Residual:
    """What a model leaves of the spectrum, and how much of it further columns explain."""

    def __init__(self, model, counts, weights, *, sum_peaks=True):
        if sum_peaks:
            model = with_sum_peaks(model, counts, weights)
        self.use, self.weights = model.use, weights
        model = _with_places(model, counts, weights)
        columns = model.columns * self.weights[:, None]
        size = np.sqrt((columns**2).sum(axis=0) + np.diag(model.precision))
        scale = 1.0 / np.where(size > 0.0, size, 1.0)
        self.columns = columns * scale
        normal = self.columns.T @ self.columns + model.precision * np.outer(scale, scale)
        main = replace(model, members=model.members[model.members[:, 2] == 1.0], sum_peaks=0.0)
        single = main.single_peaks.toarray()[self.use] * self.weights[:, None]
        self.basis, _ = np.linalg.qr(np.hstack([self.columns, single]))
        self.inverse = np.linalg.pinv(normal, rcond=1e-12, hermitian=True)
        self.left = self._beside(counts[model.use] * self.weights)
        self.squared = float(self.left @ self.left)

    def _beside(self, columns):
        return columns - self.columns @ (self.inverse @ (self.columns.T @ columns))

    def gain(self, columns):
        """Return the decrease of the squared residual by columns with coefficients >= 0."""
        weighted = columns[self.use] * self.weights[:, None]
        # Beside lines at any place and in any ratio, however well these are known.
        apart = weighted - self.basis @ (self.basis.T @ weighted)
        new = np.linalg.norm(apart, axis=0) > NEW * np.linalg.norm(weighted, axis=0)
        if not new.any():
            return 0.0
        beside = self._beside(weighted)
        size = np.maximum(np.linalg.norm(beside, axis=0), 1e-300)
        return self.squared - float(nnls((beside / size)[:, new], self.left)[1] ** 2)


def _with_places(model, counts, weights):
    """Return the model with small shifts of each family of lines among its columns."""
    n = len(model.lines)
    if n == 0:
        return model
    lines = np.maximum(solve(model, counts[model.use], weights)[:n], 0.0)
    shifts = model.sum_over_members(model.shapes.by_centre) * (lines * PLACES)
    return replace(
        model,
        background=np.hstack([model.background, shifts]),
        precision=block_diag(model.precision, np.eye(n)),
    )


def gains_of_elements(residual, model, symbols, at, beam_energy, *, reach):
    """Return {element: gain} by those of its families whose main line is near a peak."""
    # What is recognised by one line of a shell must have its others too.
    names, members = families(symbols, model.energy[0], model.energy[-1], beam_energy, whole=True)
    of_main = members[members[:, 2] == 1.0]
    near = {int(f) for f, energy, _ in of_main if abs(energy - at) < reach}
    by_element = {}
    for family in sorted(near):
        by_element.setdefault(names[family].partition("_")[0], []).append(family)
    gains = {}
    for symbol, chosen in by_element.items():
        rows = [(chosen.index(int(f)), e, w) for f, e, w in members if int(f) in chosen]
        lines = [names[f] for f in chosen]
        of_element = replace(model, lines=lines, members=np.array(rows), sum_peaks=0.0)
        gains[symbol] = residual.gain(of_element.peaks)
    return gains


def gains_of_peaks(residual, model, peak, row):
    """Yield (gain, energy) of single peaks around one; none where a stronger line has it."""
    counts, weights = row
    lines = solve(model, counts[model.use], weights)[: len(model.lines)]
    stronger = model.main_energies[lines > peak.counts]
    for energy in peak.energy + np.arange(-0.1, 0.105, 0.01):
        if (np.abs(stronger - energy) < peak_fwhm(model.resolution, energy)).any():
            yield 0.0, round(float(energy), 3)
            continue
        members = np.array([[0, energy, 1.0]])
        alone = replace(model, lines=[""], members=members, sum_peaks=0.0, skewness=0.0)
        yield residual.gain(alone.peaks), round(float(energy), 3)
