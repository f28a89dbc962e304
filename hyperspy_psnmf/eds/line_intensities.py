# SPDX-License-Identifier: GPL-3.0-or-later
"""Net line intensities and Cliff-Lorimer compositions of phase spectra, by eXSpy."""

import numpy as np

from hyperspy_psnmf.eds.factors import is_xray_line


def net_intensities(spectra) -> dict[str, np.ndarray]:
    """Return the net counts of each X-ray line in each phase.

    By eXSpy's integration windows, with the background interpolated between
    windows on either side of the line. Overlapping lines are not separated.

    Parameters
    ----------
    spectra : EDSSpectrum
        From ``s.psnmf.phase_spectra()``, with ``metadata.Sample.xray_lines``.

    Returns
    -------
    dict of ndarray of shape (n_phases,)
        Counts, by line; a net intensity below zero is noise and given as 0.
    """
    return {
        str(signal.metadata.Sample.xray_lines[0]): np.maximum(np.ravel(signal.data), 0.0)
        for signal in intensity_signals(spectra, _lines_within(spectra))
    }


def compositions(spectra, k_factors: dict[str, float]) -> dict[str, np.ndarray]:
    """Return the atomic per cent of each element in each phase.

    Cliff-Lorimer by eXSpy, without absorption correction.

    Parameters
    ----------
    spectra : EDSTEMSpectrum
        From ``s.psnmf.phase_spectra()``.
    k_factors : dict
        One Cliff-Lorimer factor per line, by its name.

    Returns
    -------
    dict of ndarray of shape (n_phases,)
        Atomic per cent, by element.

    Raises
    ------
    ValueError
        If fewer than two lines are given, or one is none or lies outside the
        energy axis.
    TypeError
        If the spectra are not of a TEM: eXSpy quantifies no others.
    """
    if not hasattr(spectra, "quantification"):
        raise TypeError("k_factors need an EDS_TEM map: Cliff-Lorimer is for thin specimens")
    unknown = sorted(str(line) for line in k_factors if not is_xray_line(line))
    if unknown:
        raise ValueError(f"k_factors: {', '.join(unknown)} is no X-ray line as eXSpy writes it")
    missing = sorted(set(k_factors) - set(_lines_within(spectra, list(k_factors))))
    if missing:
        raise ValueError(f"k_factors: {', '.join(missing)} not on the energy axis")
    if len(k_factors) < 2:
        raise ValueError("k_factors must have at least two lines")
    signals = intensity_signals(spectra, list(k_factors))
    for signal in signals:
        signal.data = np.maximum(signal.data, 0.0)
    # eXSpy's default mask takes every phase for vacuum that has no strong channel,
    # and it divides by the intensity of a reference line before it tests for zero.
    with np.errstate(divide="ignore", invalid="ignore"):
        found = spectra.quantification(
            signals,
            "CL",
            list(k_factors.values()),
            composition_units="atomic",
            navigation_mask=None,
        )
    return {str(s.metadata.Sample.elements[0]): np.ravel(s.data) for s in found}


def _lines_within(spectra, lines=None):
    if lines is None:
        lines = spectra.metadata.get_item("Sample.xray_lines", default=[])
    return spectra._get_xray_lines_in_spectral_range([str(line) for line in lines])[0]


def intensity_signals(spectra, lines: list[str]) -> list:
    """Return eXSpy's net intensities of lines by windows, one signal per line."""
    if not lines:
        return []
    axis = spectra.axes_manager.signal_axes[0]
    # Windows of a line near either end must stay on the axis.
    windows, background = (
        np.clip(found, axis.low_value, axis.high_value)
        for found in (
            spectra.estimate_integration_windows(xray_lines=lines),
            spectra.estimate_background_windows(xray_lines=lines),
        )
    )
    return spectra.get_lines_intensity(
        xray_lines=lines,
        integration_windows=windows.tolist(),
        background_windows=background,
    )
