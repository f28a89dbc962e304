# SPDX-License-Identifier: GPL-3.0-or-later
"""A given map as an EDS signal of HyperSpy and eXSpy."""

import numpy as np

from tests.benchmarks.rivals.exchange import Given, Returned


def eds_signal(given: Given, dtype, signal_type: str = ""):
    """Return the map with the axes and metadata that a microscope's file has.

    Parameters
    ----------
    given : Given
    dtype : data type of the counts
    signal_type : str
        By default eXSpy's, for `given.kind`.
    """
    import exspy  # noqa: F401, registers signal types
    from hyperspy.api import signals

    signal = signals.Signal1D(given.cube(dtype))
    signal.set_signal_type(signal_type or f"EDS_{given.kind}")
    axis = signal.axes_manager.signal_axes[0]
    axis.name, axis.units, axis.scale, axis.offset = "Energy", "keV", given.scale, given.offset
    signal.set_microscope_parameters(
        beam_energy=given.beam_energy,
        energy_resolution_MnKa=given.resolution,
        elevation_angle=given.take_off_angle,
        azimuth_angle=0.0,
        tilt_stage=0.0,
    )
    signal.set_elements(given.elements)
    signal.set_lines(given.xray_lines)
    for name in ("thickness", "density"):
        if np.isfinite(getattr(given, name)):
            signal.metadata.set_item(f"Sample.{name}", getattr(given, name))
    return signal


def learned(signal, **about) -> Returned:
    """Return the loadings and factors of a decomposed signal."""
    results = signal.learning_results
    return Returned(loadings=results.loadings, factors=results.factors, **about)
