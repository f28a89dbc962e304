# SPDX-License-Identifier: GPL-3.0-or-later
"""Net intensities of X-ray lines by eXSpy's integration windows."""

import numpy as np


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
