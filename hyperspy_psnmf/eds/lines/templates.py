# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of X-ray lines and continuum from the sum spectrum of a map.

The full model of lines and continuum is fitted to the sum: energy axis, resolution, ratios of
lines, absorption edges and sum peaks are those of the map's own detector. Each family of lines
is a template then, and so is the fitted continuum times each of its splines, which can bend.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.line_model.linear_model import read_beam_energy, read_resolution
from hyperspy_psnmf.eds.lines.fit import fit_spectra
from hyperspy_psnmf.eds.signals.build import phase_axis, spectra_like
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.metadata import sample_elements, sample_lines
from hyperspy_psnmf.eds.xray.detector import ZERO_PEAK
from hyperspy_psnmf.eds.xray.lines import element_of
from hyperspy_psnmf.nmf.lines.templates import Templates

STEP = "fit of lines"  # for listeners
MAX_COUNTS = 2.0**53  # in all, beyond which floats do not distinguish single counts
MIN_COUNTS = 1.0  # variance of a channel, at least
MIN_CONTINUUM = 1e-9  # of the largest template, in the channels in use


class NoLineModel(ValueError):
    """A map has no model of its lines.

    Attributes
    ----------
    reason : {"energy axis", "beam energy", "resolution", "energy range", "counts", "fit"}
        What does not allow it.
    """

    def __init__(self, message: str, reason: str = "fit") -> None:
        super().__init__(message)
        self.reason = reason


@contextmanager
def _because_of(reason: str) -> Iterator[None]:
    """Raise NoLineModel with that reason instead of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise NoLineModel(str(error), reason) from error


def check_line_model(signal, map_input: MapInput) -> None:
    """Raise NoLineModel where a map's metadata or axis do not allow a model of its lines."""
    with _because_of("energy axis"):
        map_input.require_rising()
        if not signal.axes_manager.signal_axes[0].is_uniform:
            raise ValueError("spectra='lines' needs a uniform energy axis: use spectra='free'")
    with _because_of("beam energy"):
        beam_energy, energy = read_beam_energy(signal), map_input.energy_in_use
    with _because_of("resolution"):
        read_resolution(signal)
    if not ((energy >= ZERO_PEAK) & (energy < beam_energy)).any():
        raise NoLineModel(
            f"spectra='lines' needs channels between {ZERO_PEAK} keV and the beam energy of "
            f"{beam_energy:g} keV: use spectra='free', or another energy_range",
            "energy range",
        )


def find_templates(signal, map_input: MapInput, counts: np.ndarray) -> Templates:
    """Return templates for the channels in use.

    Parameters
    ----------
    signal : EDSSpectrum
        The map, for its axis and metadata. Elements that it does not list are found.
    map_input : MapInput
    counts : ndarray of shape (n_channels_in_use,)
        Sum of the map.

    Raises
    ------
    NoLineModel
        If no model can be fitted to these counts.
    """
    if counts.sum() > MAX_COUNTS:
        raise NoLineModel(
            f"spectra='lines' needs fewer than {MAX_COUNTS:.0e} counts: use spectra='free'",
            "counts",
        )
    keep, window = map_input.inside, map_input.window
    total = np.zeros(keep.size)
    total[keep] = counts
    spectra = spectra_like(signal, total[None], "Sum", navigation=[phase_axis(1)], window=window)
    elements = {*sample_elements(signal), *(element_of(line) for line in sample_lines(signal))}
    variance = np.maximum(total, MIN_COUNTS)[None]
    with _because_of("fit"):
        fit = fit_spectra(spectra, elements, keep, variance)
    if not fit.converged:
        warnings.warn(
            "the fit of lines and continuum to the sum of the map has not converged: with "
            "spectra='lines', spectra may be less accurate than their counts",
            UserWarning,
            stacklevel=7,
        )
    model = fit.model
    use, energy = model.tabulated.use, model.tabulated.energy
    peaks = np.maximum(model.fitted.peaks, 0.0) * use[:, None]
    continuum = model.linear.background[:, model.parameters.kinds["splines"]] * use[:, None]
    rest = np.where(use, 0.0, total)
    noise_peak, beyond = rest * (energy < ZERO_PEAK), rest * (energy >= ZERO_PEAK)
    continuum = np.column_stack([continuum, noise_peak, beyond])
    names = [element_of(line) for line in model.fitted.lines]
    peaks, continuum = peaks[keep].T, continuum[keep].T
    in_use = peaks.sum(axis=1) > 0
    symbols, of_element = np.unique(np.array(names)[in_use], return_inverse=True)
    lines, continuum = _unit_sum(peaks[in_use]), _unit_sum(_drop_empty(continuum))
    return Templates(lines, continuum, of_element, tuple(str(symbol) for symbol in symbols))


def find_templates_again(decomposed: Decomposed, counts: np.ndarray, reason: str) -> Templates:
    """Return the templates of a decomposed map, or raise RuntimeError if these were given.

    Parameters
    ----------
    decomposed : Decomposed
        With spectra made of lines.
    counts : ndarray of shape (n_channels_in_use,)
        Sum of the map.
    reason : str
        What needs templates, for the error.
    """
    if not decomposed.record.template_elements:
        raise RuntimeError(
            f"{reason}, which needs the templates that were given to the estimator: only those of "
            "spectra='lines' can be found again"
        )
    return find_templates(decomposed.signal, decomposed.map_input, counts)


def _drop_empty(spectra):
    total = spectra.sum(axis=1)
    return spectra[total > MIN_CONTINUUM * total.max(initial=0.0)]


def _unit_sum(spectra):
    return spectra / spectra.sum(axis=1, keepdims=True)
