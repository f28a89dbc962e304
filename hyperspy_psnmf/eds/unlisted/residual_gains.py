# SPDX-License-Identifier: GPL-3.0-or-later
"""Decrease of a spectrum's squared residual by further lines or peaks."""

from dataclasses import replace

import numpy as np
from scipy.linalg import block_diag
from scipy.optimize import nnls

from hyperspy_psnmf.eds.line_model.calibration import solve
from hyperspy_psnmf.eds.line_model.detector_artefacts import with_sum_peaks
from hyperspy_psnmf.eds.line_model.linear_model import families
from hyperspy_psnmf.eds.xray.detector import peak_fwhm
from hyperspy_psnmf.eds.xray.lines import element_of
from hyperspy_psnmf.kernels.limits import TINY

# Least fraction of a peak's norm that is orthogonal to the lines fitted (shifts included).
# At 0.1 the error of its counts is ten times that of an isolated peak: they are inseparable.
MIN_ORTHOGONAL = 0.1
SHIFT = 0.002  # keV, standard deviation of the energies of lines


class Residual:
    """The residual of a model, and its decrease by further columns."""

    def __init__(self, model, counts, weights, *, sum_peaks=True):
        if sum_peaks:
            model = with_sum_peaks(model, counts, weights)
        self.use, self.weights = model.use, weights
        model = _with_shifts(model, counts, weights)
        columns = model.columns * self.weights[:, None]
        size = np.sqrt((columns**2).sum(axis=0) + np.diag(model.precision))
        scale = 1.0 / np.where(size > 0.0, size, 1.0)
        self.columns = columns * scale
        normal = self.columns.T @ self.columns + model.precision * np.outer(scale, scale)
        main = replace(model, members=model.members[model.members[:, 2] == 1.0], sum_peaks=0.0)
        single = main.single_peaks.toarray()[self.use] * self.weights[:, None]
        self.basis, _ = np.linalg.qr(np.hstack([self.columns, single]))
        self.inverse = np.linalg.pinv(normal, rcond=1e-12, hermitian=True)
        self.residual = self._residual_of(counts[model.use] * self.weights)
        self.squared = float(self.residual @ self.residual)

    def _residual_of(self, columns):
        return columns - self.columns @ (self.inverse @ (self.columns.T @ columns))

    def gain(self, columns):
        """Return the decrease of the squared residual by columns with coefficients >= 0."""
        weighted = columns[self.use] * self.weights[:, None]
        # Orthogonal to lines of any shift and ratio, whatever their priors.
        orthogonal = weighted - self.basis @ (self.basis.T @ weighted)
        new = np.linalg.norm(orthogonal, axis=0) > MIN_ORTHOGONAL * np.linalg.norm(weighted, axis=0)
        if not new.any():
            return 0.0
        remaining = self._residual_of(weighted)
        size = np.maximum(np.linalg.norm(remaining, axis=0), TINY)
        return self.squared - float(nnls((remaining / size)[:, new], self.residual)[1] ** 2)


def _with_shifts(model, counts, weights):
    """Return the model with small shifts of each family of lines among its columns."""
    n = len(model.lines)
    if n == 0:
        return model
    lines = np.maximum(solve(model, counts[model.use], weights)[:n], 0.0)
    shifts = model.sum_over_members(model.shapes.by_centre) * (lines * SHIFT)
    return replace(
        model,
        background=np.hstack([model.background, shifts]),
        precision=block_diag(model.precision, np.eye(n)),
    )


def gains_of_elements(residual, model, symbols, at, beam_energy, *, reach):
    """Return {element: gain} by those of its families whose main line is near a peak."""
    # An element must have all lines of a shell, so families are not split.
    names, members = families(
        symbols, model.energy[0], model.energy[-1], beam_energy, whole_shells=True
    )
    of_main = members[members[:, 2] == 1.0]
    near = {int(f) for f, energy, _ in of_main if abs(energy - at) < reach}
    by_element = {}
    for family in sorted(near):
        by_element.setdefault(element_of(names[family]), []).append(family)
    gains = {}
    for symbol, chosen in by_element.items():
        rows = [(chosen.index(int(f)), e, w) for f, e, w in members if int(f) in chosen]
        lines = [names[f] for f in chosen]
        of_element = replace(model, lines=lines, members=np.array(rows), sum_peaks=0.0)
        gains[symbol] = residual.gain(of_element.peaks)
    return gains


def gains_of_peaks(residual, model, peak, row):
    """Yield (gain, energy) of single peaks around one; a gain of 0 within a stronger line."""
    counts, weights = row
    lines = solve(model, counts[model.use], weights)[: len(model.lines)]
    stronger = model.main_energies[lines > peak.counts]
    for energy in peak.energy + np.arange(-0.1, 0.105, 0.01):
        if (np.abs(stronger - energy) < peak_fwhm(model.resolution, energy)).any():
            yield 0.0, round(float(energy), 3)
            continue
        members = np.array([[0, energy, 1.0]])
        single = replace(model, lines=[""], members=members, sum_peaks=0.0, skewness=0.0)
        yield residual.gain(single.peaks), round(float(energy), 3)
