# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts as an eXSpy signal with the axes and metadata a microscope would write.

The spatial scale is the field of view over the number of pixels; the energy of
channel i is offset + i · 0.01 keV.

References
----------
HyperSpy user guide, "Metadata structure"; eXSpy user guide, "Energy dispersive X-ray
spectrometry".
"""

from __future__ import annotations

import numpy as np
from exspy.signals import EDSSEMSpectrum, EDSTEMSpectrum
from numpy.typing import NDArray

from hyperspy_psnmf.data.physics import detector
from hyperspy_psnmf.data.physics.xray import Line
from hyperspy_psnmf.data.specimen import Microscope, Scene
from hyperspy_psnmf.data.spectra import emitted


def eds_signal(scene: Scene, data: NDArray[np.unsignedinteger]) -> EDSTEMSpectrum | EDSSEMSpectrum:
    """Signal with the calibration and metadata a microscope would write."""
    kind = EDSSEMSpectrum if scene.microscope.bulk else EDSTEMSpectrum
    signal = kind(data, axes=_axes(scene, data.shape))
    _set_acquisition(scene.microscope, signal)
    signal.metadata.General.title = scene.title
    signal.metadata.set_item("General.notes", scene.notes)
    if scene.thickness is not None:
        signal.metadata.set_item("Sample.thickness", scene.thickness)  # nm
        signal.metadata.set_item("Sample.density", scene.density)  # g/cm³
    signal.set_elements(sorted({el for phase in scene.phases for el in phase.atomic_percent}))
    _set_lines(scene, signal)
    return signal


def _set_lines(scene: Scene, signal: EDSTEMSpectrum | EDSSEMSpectrum) -> None:
    """Name the lines to quantify; on an axis cut short eXSpy picks others for some elements."""
    lines: dict[str, Line] = {}
    for element in signal.metadata.Sample.elements:
        lines |= emitted(element, scene.microscope)
    end = signal.axes_manager.signal_axes[0].high_value
    signal.set_lines([name for name in scene.xray_lines if lines[name].energy < end])
    # eXSpy may pick lines of zero weight in its own database.
    kept = [name for name in signal.metadata.Sample.xray_lines if name in lines]
    signal.metadata.Sample.xray_lines = kept


def _axes(scene: Scene, shape: tuple[int, int, int]) -> list[dict[str, object]]:
    """Navigation axes over the field of view, and the energy axis."""
    axes: list[dict[str, object]] = [
        {
            "name": name,
            "size": size,
            "scale": scene.field_of_view / size,
            "units": scene.length_unit,
            "navigate": True,
        }
        for name, size in zip("yx", shape[:2], strict=True)
    ]
    energy = {"name": "Energy", "size": shape[2], "units": "keV", "navigate": False}
    energy |= {"scale": detector.CHANNEL_WIDTH, "offset": detector.FIRST_CHANNEL}
    return [*axes, energy]


def _set_acquisition(microscope: Microscope, signal: EDSTEMSpectrum | EDSSEMSpectrum) -> None:
    signal.set_microscope_parameters(
        beam_energy=microscope.beam_energy,
        live_time=microscope.live_time,
        tilt_stage=0.0,
        azimuth_angle=0.0,
        elevation_angle=microscope.elevation_angle,
        energy_resolution_MnKa=detector.RESOLUTION_MN_KA,
    )
    instrument = "SEM" if microscope.bulk else "TEM"
    current = f"Acquisition_instrument.{instrument}.beam_current"
    signal.metadata.set_item(current, microscope.beam_current)
