# SPDX-License-Identifier: GPL-3.0-or-later
"""Net intensities of X-ray lines by eXSpy's integration windows."""

import numpy as np

from hyperspy_psnmf.eds.signals.build import spectra_like


def intensity_signals(spectra, lines: list[str]) -> list:
    """Return eXSpy's net intensities of lines by windows, one signal per line."""
    if not lines:
        return []
    windows, background = clip_windows(spectra, lines)
    return spectra.get_lines_intensity(
        xray_lines=lines,
        integration_windows=windows.tolist(),
        background_windows=background,
    )


def clip_windows(spectra, lines: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return eXSpy's windows of lines and of their backgrounds, kept on the energy axis.

    Returns
    -------
    windows : ndarray of shape (n_lines, 2)
        In the unit of the axis.
    background : ndarray of shape (n_lines, 4)
        Ends of the windows below and above each line. They depend on all the lines, as
        eXSpy merges those that overlap.
    """
    axis = spectra.axes_manager.signal_axes[0]
    with np.errstate(invalid="ignore"):  # no width, for the lightest elements
        found = (
            spectra.estimate_integration_windows(xray_lines=lines),
            spectra.estimate_background_windows(xray_lines=lines),
        )
    windows, background = (np.clip(of, axis.low_value, axis.high_value) for of in found)
    return windows, background


def window_operators(found, lines: list[str], inside: np.ndarray) -> np.ndarray:
    """Return eXSpy's integration of windows as an operator on spectra.

    Parameters
    ----------
    found : EDSSpectrum
        Spectra of phases.
    lines : list of str
    inside : ndarray of bool, of shape (n_channels,)
        Channels that the decomposition used.

    Returns
    -------
    operators : ndarray of shape (n_phases, n_channels, n_lines)
    """
    n_phases, n_channels = found.data.shape
    unit = spectra_like(found, np.eye(n_channels), "", navigation=[{"size": n_channels}])
    operator = np.array([np.ravel(s.data) for s in intensity_signals(unit, lines)]).T
    touched = (operator[~inside] != 0).any(axis=0)
    if touched.any():
        names = ", ".join(line for line, t in zip(lines, touched, strict=True) if t)
        raise ValueError(f"{names}: the windows hold channels that the decomposition left out")
    return np.broadcast_to(operator, (n_phases, *operator.shape))
