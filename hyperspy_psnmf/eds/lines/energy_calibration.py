# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration of a map's energy axis: offset and gain of recorded X-ray lines."""

import numpy as np

from hyperspy_psnmf._compat import data_in_array_order
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.line_model.calibration import calibrate
from hyperspy_psnmf.eds.line_model.energy_axis import EnergyCalibration
from hyperspy_psnmf.eds.lines.fit import fit_spectra
from hyperspy_psnmf.eds.lines.notes import AXIS_OFF
from hyperspy_psnmf.eds.signals.axes import energies
from hyperspy_psnmf.eds.signals.build import spectra_like
from hyperspy_psnmf.eds.signals.learning_results import read_factors_and_loadings
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.metadata import sample_elements
from hyperspy_psnmf.eds.unlisted.search import on_found_axis
from hyperspy_psnmf.eds.xray.lines import lines_of


def energy_calibration(signal) -> EnergyCalibration:
    """Return the energy calibration of a map; see the accessor."""
    MapInput.of(signal).require_rising()
    elements = {e for e in sample_elements(signal) if lines_of(e)}
    if not elements:
        raise ValueError(
            "the metadata list no elements with X-ray lines: set them with s.set_elements([...])"
        )
    spectra = _sum_spectrum(signal)
    return fit_spectra(
        spectra, elements, spectra.data[0] >= 0.0, np.maximum(spectra.data, 0.5)
    ).axis


def _sum_spectrum(signal):
    """Return the sum spectrum of a map, as the spectrum of a single phase."""
    if read_factors_and_loadings(signal)[0] is not None:
        found = Decomposed.read(signal).spectra
        total = found.data.sum(axis=0)
    else:
        found, axes = signal, tuple(range(signal.axes_manager.navigation_dimension))
        total = data_in_array_order(signal).sum(axis=axes, dtype=float)
    return spectra_like(found, np.asarray(total)[None], "Sum spectrum", navigation=[{"size": 1}])


def lines_recorded_at(spectra) -> EnergyCalibration | None:
    """Return the energy calibration of spectra, without errors; None if not significant.

    Parameters
    ----------
    spectra : EDSSpectrum
        Spectra of phases, in counts; they are not changed.
    """
    try:
        elements = {e for e in sample_elements(spectra) if lines_of(e)}
        energy, keep = energies(spectra), np.ones(spectra.data.shape[-1], bool)
        model = calibrate(on_found_axis(spectra, elements, keep), spectra.data)
    except ValueError:  # no beam energy, resolution or uniform axis: use tabulated energies
        return None
    shifts = model.recorded_energy(model.main_energies) - model.main_energies
    if not elements or (np.abs(shifts) < AXIS_OFF).all():
        return None
    return EnergyCalibration(
        model.offset, np.nan, model.gain, np.nan, model.resolution, np.nan, np.nan,
        (float(energy[0]), float(energy[-1])),
    )  # fmt: skip
