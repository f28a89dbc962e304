# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of `eds` that take a decomposed map, for a signal."""

from functools import wraps

from hyperspy_psnmf.eds.fit_check import verdict
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines import intensities, measurable_lines
from hyperspy_psnmf.eds.uncertainty import standard_errors as errors


def _of_signal(function):
    @wraps(function)
    def call(signal, *args, **kwargs):
        return function(Decomposed.read(signal), *args, **kwargs)

    return call


measure_lines = _of_signal(intensities.measure_lines)
find_fit_quality = _of_signal(verdict.find_fit_quality)


def standard_errors(signal, of="maps", *, given_spectra=True, **kwargs):
    """Return them with the spectra taken as exact, unless asked for all."""
    found = Decomposed.read(signal)
    return errors.standard_errors(found, of, given_spectra=given_spectra, **kwargs)


find_upper_limits = _of_signal(errors.find_upper_limits)
intensity_errors = _of_signal(errors.intensity_errors)


def explain_lines(signal, lines, method):
    found = Decomposed.read(signal)
    return measurable_lines.explain_lines(found.spectra, found.map_input, lines, method)
