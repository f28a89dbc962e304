# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra of pure phases as the detector records them.

The spectrum of a phase per unit of mass is the sum over its elements' lines, plus
the continuum times one constant for the whole scene::

    S(E) = R [Σ_l C_l I_l f(E_l) ε(E_l) + κ N(E) f(E) ε(E)]

with the weight fraction C, the emission I, the transmission f of the specimen, the
efficiency ε and the response R of the detector. The constant κ follows from the fraction
of the counts in the continuum, since Kramers' law determines its shape only.

References
----------
Goldstein et al., Scanning Electron Microscopy and X-ray Microanalysis,
3rd ed. (2003), ch. 6 to 9.
Cliff & Lorimer, Journal of Microscopy 103 (1975) 203 (k-factors).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hyperspy_psnmf.data.physics import continuum as _continuum
from hyperspy_psnmf.data.physics import detector, xray
from hyperspy_psnmf.data.specimen import Microscope, Phase

REFERENCE_CHANNELS = 1980  # on which the fraction of the continuum is defined
MARGIN_CHANNELS = 50  # photons from beyond the axis whose recorded energy lies on it


def emitted(element: str, microscope: Microscope) -> dict[str, xray.Line]:
    """Lines of a pure element under this microscope's beam."""
    return xray.emitted_lines(element, beam_energy=microscope.beam_energy, bulk=microscope.bulk)


def transmission(
    energy: NDArray[np.float64], phase: Phase, microscope: Microscope
) -> NDArray[np.float64]:
    """Fraction of the X-rays of each energy (keV) that leaves the specimen."""
    weight_fraction = phase.weight_fraction
    chi = _continuum.path_absorption(energy, weight_fraction, microscope.elevation_angle)
    if microscope.bulk:
        return _continuum.bulk_transmission(chi, energy, weight_fraction, microscope.beam_energy)
    return _continuum.thin_film_transmission(chi, phase.mass_thickness)


def line_spectrum(phase: Phase, microscope: Microscope, n_channels: int) -> NDArray[np.float64]:
    """Lines of a phase as recorded, per unit of mass."""
    energies, intensities = [], []
    for element, weight in phase.weight_fraction.items():
        for line in emitted(element, microscope).values():
            energies.append(line.energy)
            intensities.append(weight * line.intensity)
    energy = np.array(energies)
    recorded = np.array(intensities) * detector.detector_efficiency(energy)
    recorded *= transmission(energy, phase, microscope)
    return detector.line_shapes(energy, n_channels) @ recorded


def continuum_spectra(
    phases: Sequence[Phase], microscope: Microscope, n_channels: int
) -> NDArray[np.float64]:
    """Continua of the phases as recorded, per unit of mass; one column each."""
    energy = detector.channel_energies(n_channels + MARGIN_CHANNELS)
    generated = [
        _continuum.kramers_continuum(energy, phase.weight_fraction, microscope.beam_energy)
        * transmission(energy, phase, microscope)
        for phase in phases
    ]
    recorded = np.stack(generated, axis=1) * detector.detector_efficiency(energy)[:, None]
    return detector.line_shapes(energy, n_channels) @ recorded


def phase_spectra(
    phases: Sequence[Phase], microscope: Microscope, *, continuum_share: float, n_channels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Spectra of the phases as recorded, per unit of mass.

    Parameters
    ----------
    phases : sequence of Phase
        The phases of the scene.
    microscope : Microscope
        Beam and detector.
    continuum_share : float
        Fraction of the counts in the continuum, for equal masses of all phases, on an
        axis of 1980 channels. A shorter axis is this one truncated.
    n_channels : int
        Length of the energy axis.

    Returns
    -------
    lines, continuum : ndarray
        Each of shape (n_channels, n_phases).
    """
    length = max(n_channels, REFERENCE_CHANNELS)
    lines = np.stack([line_spectrum(phase, microscope, length) for phase in phases], axis=1)
    continuum = continuum_spectra(phases, microscope, length)
    reference = slice(REFERENCE_CHANNELS)
    ratio = lines[reference].sum() / continuum[reference].sum()
    continuum *= continuum_share / (1.0 - continuum_share) * ratio
    return lines[:n_channels], continuum[:n_channels]


def k_factors(xray_lines: Sequence[str], microscope: Microscope) -> dict[str, float]:
    """
    Cliff-Lorimer factors of lines, relative to Si Ka.

    C_a / C_b = k_a / k_b · I_a / I_b with the weight fractions C and the recorded
    intensities I of exactly the named lines, without absorption in the specimen.
    """
    sensitivity = {line: _sensitivity(line, microscope) for line in xray_lines}
    silicon = _sensitivity("Si_Ka", microscope)
    return {line: silicon / value for line, value in sensitivity.items()}


def _sensitivity(xray_line: str, microscope: Microscope) -> float:
    """Signal of a line per unit of weight fraction, arbitrary unit."""
    line = emitted(xray_line.split("_")[0], microscope)[xray_line]
    return float(line.intensity * detector.detector_efficiency(line.energy)[0])
