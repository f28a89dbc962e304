# SPDX-License-Identifier: GPL-3.0-or-later
"""Net intensities of X-ray lines by eXSpy's integration windows."""

import numpy as np


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
