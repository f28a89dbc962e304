# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and metadata that a method of quantification needs, checked first."""

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.line_model.linear_model import read_beam_energy, read_resolution
from hyperspy_psnmf.eds.lines.intensities import METHODS as INTENSITIES
from hyperspy_psnmf.eds.quantify.absorption import PLAUSIBLE_ANGLE
from hyperspy_psnmf.eds.quantify.exspy_call import METHODS
from hyperspy_psnmf.eds.quantify.result import UNITS
from hyperspy_psnmf.eds.signals.exposure import check_per, time_per_pixel
from hyperspy_psnmf.eds.signals.metadata import read_number
from hyperspy_psnmf.eds.signals.phases import pixel_area
from hyperspy_psnmf.eds.uncertainty.ambiguity import Ambiguity
from hyperspy_psnmf.nmf.validation import check_choice, check_confidence

ERRORS = ("total", "counting")
_TEM = "Acquisition_instrument.TEM"
LIVE_TIME = f"{_TEM}.Detector.EDS.live_time"
AUTO = "auto"
_SET = "set it with s.set_microscope_parameters({}=...)"
_SET_ANGLE = "pass take_off_angle=, or " + _SET.format(
    "elevation_angle=..., azimuth_angle=..., tilt_stage"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """Keywords of ``s.psnmf.quantify()``, which documents them."""

    method: str | None = None
    factors: Any = None
    reference: Any = None
    composition_units: str = "atomic"
    xray_lines: Any = None
    exclude: Any = ()
    intensities: str = "model"
    absorption_correction: bool | str = "auto"
    thickness: Any = None
    density: Any = None
    take_off_angle: Any = "auto"
    probe_area: Any = "auto"
    live_time_per: str | None = None
    errors: str = "total"
    ambiguity: bool | Ambiguity = False
    confidence: float = 0.95
    region: Any = None
    show_progressbar: bool | None = None

    def __post_init__(self):
        """Raise TypeError or ValueError for what is wrong for any map, naming the argument."""
        check_choice("composition_units", self.composition_units, tuple(UNITS))
        check_choice("intensities", self.intensities, INTENSITIES)
        check_choice("errors", self.errors, ERRORS)
        check_confidence(self.confidence)
        if not isinstance(self.ambiguity, bool | Ambiguity):
            raise TypeError(
                "ambiguity must be True, False or what s.psnmf.ambiguity() returned, not "
                f"{self.ambiguity!r}"
            )
        if self.region is not None and self.ambiguity is not False:
            raise ValueError(
                "ambiguity is for phases, not for a region, whose counts are the same in all "
                "factorisations that fit equally well"
            )
        check_per("live_time_per", self.live_time_per)
        _check_angle(self.take_off_angle)
        correction = self.absorption_correction
        if not (
            isinstance(correction, bool) or (isinstance(correction, str) and correction == AUTO)
        ):
            raise TypeError(
                f"absorption_correction must be True, False or 'auto', not {correction!r}"
            )


def resolve_options(
    decomposed: Decomposed, given: Options, names: list[str]
) -> tuple[str, dict, dict]:
    """Return the method, area in nm² and live time in s of a pixel, and `Quantifier`'s arguments.

    Parameters
    ----------
    decomposed : Decomposed
        The map.
    given : Options
    names : list of str
        Of what is quantified: phases or regions.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, or the metadata and the call that sets them.
    """
    # Not of the spectra: eXSpy gives a new signal what its metadata lack.
    signal = decomposed.signal
    method = resolve_method(signal, given.method)
    decomposed.map_input.require_rising()
    read_beam_energy(signal), read_resolution(signal)
    angle, unknown = find_take_off_angle(signal, given.take_off_angle)
    specimen = {
        name: _per_phase(name, _or_metadata(signal, name, value), names)
        for name, value in (("thickness", given.thickness), ("density", given.density))
    }
    corrected = given.absorption_correction
    if corrected == AUTO:
        known = angle, *specimen.values()
        corrected = method == "CL" and all(value is not None for value in known)
    elif corrected:
        _require_absorption(method, specimen["thickness"], unknown)
    # eXSpy requires an angle, but does not use it without absorption correction.
    options = {} if method == "k_ratios" else {"take_off_angle": angle or PLAUSIBLE_ANGLE}
    return (
        method,
        _exposure(signal, method, given, corrected),
        {"absorption_correction": corrected, **specimen, "options": options},
    )


def _or_metadata(signal, name, value):
    """Return what is given, or else that of the specimen in the metadata, or None."""
    if value is not None:
        return value
    found = read_number(signal, f"Sample.{name}")
    return found if found and found > 0 else None  # files have 0 for what is not known


def _require_absorption(method, thickness, unknown_angle):
    """Raise where absorption cannot be corrected for."""
    if method == "k_ratios":
        raise ValueError("absorption_correction is not for k-ratios: no ZAF correction is applied")
    if method == "CL" and thickness is None:
        raise ValueError("thickness in nm is needed for absorption_correction with method='CL'")
    if unknown_angle:
        raise ValueError(unknown_angle)


def _exposure(signal, method, given, corrected):
    """Return live time in s and area in nm² of a pixel, as far as the method needs them."""
    if method not in ("zeta", "cross_section"):
        return {}
    _require(signal, "beam_current", f"{_TEM}.beam_current")
    _require(signal, "live_time", LIVE_TIME)
    found = {"live_time": _live_time(signal, given.live_time_per, corrected)}
    if method == "cross_section":
        found["probe_area"] = _probe_area(signal, given.probe_area)
    return found


def exposed(quantifier, *, probe_area=None, live_time=None):
    """Return a quantifier for another area in nm² or another live time in s.

    eXSpy reads both from the metadata, and the area from an argument too.
    """
    spectra, options = quantifier.spectra.deepcopy(), dict(quantifier.options)
    if probe_area is not None:
        spectra.metadata.set_item(f"{_TEM}.probe_area", float(probe_area))
        options["probe_area"] = float(probe_area)
    if live_time is not None:
        spectra.metadata.set_item(LIVE_TIME, float(live_time))
    return replace(quantifier, spectra=spectra, options=options)


def resolve_method(signal, method: str | None) -> str:
    """Return a method of quantification that fits the kind of map, or raise."""
    thin = hasattr(signal, "quantification")
    if method is None:
        return "CL" if thin else "k_ratios"
    check_choice("method", method, METHODS)
    if not thin and method != "k_ratios":
        raise TypeError(
            f"method={method!r} needs an EDS_TEM map: it is for thin specimens. For EDS_SEM there "
            "is 'k_ratios', against standards and without ZAF correction"
        )
    return method


def _require(signal, name, path):
    if signal.metadata.get_item(path) is None:
        raise ValueError(f"the metadata have no {name}: " + _SET.format(name))


def _live_time(signal, per, needed):
    """Return the live time of a pixel."""
    found = time_per_pixel(signal, LIVE_TIME, per)
    if found is not None:
        return found
    if needed:
        value = signal.metadata.get_item(LIVE_TIME)
        raise ValueError(
            f"live_time_per: whether the live time in the metadata, {value} s, is that of a pixel "
            "or of the map cannot be determined from the file: pass live_time_per='pixel' or 'map'"
        )
    return 1.0  # eXSpy asks for one; of compositions alone it cancels


def _per_phase(name, value, names):
    """Return None, a float, or an array with one value per phase."""
    if value is None:
        return None
    if isinstance(value, dict):
        if set(value) != set(names):
            raise ValueError(f"{name} must have a value for each of {names}, not {value!r}")
        value = [value[n] for n in names]
    try:
        values = np.asarray(value)
        # Numpy would convert strings and booleans to numbers.
        values = values.astype(float) if values.dtype.kind in "iufO" else None
    except (TypeError, ValueError):
        values = None
    if values is None:
        raise TypeError(f"{name} must be a number or one per phase, not {value!r}")
    if values.shape not in ((), (len(names),)) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"{name} must be positive, one number or one per phase, not {value!r}")
    return values


def _check_angle(angle):
    if not (_is_angle(angle) or (isinstance(angle, str) and angle == AUTO)):
        raise ValueError(
            f"take_off_angle must be 'auto' or above 0 and at most 90 degrees, not {angle!r}"
        )


def _is_angle(angle):
    return isinstance(angle, Real) and not isinstance(angle, bool) and 0 < angle <= 90


def find_take_off_angle(signal, given) -> tuple[float | None, str]:
    """Return the take-off angle in degrees or None, and what is wrong with that of the metadata.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    given : "auto" or float
        "auto" is that of the metadata.
    """
    if not isinstance(given, str):
        return float(given), ""
    try:
        angle = float(signal.get_take_off_angle())
    except (TypeError, AttributeError, ValueError):
        return None, f"the metadata have no take-off angle: {_SET_ANGLE}"
    if _is_angle(angle):
        return angle, ""
    return None, (
        f"the take-off angle of the metadata is {angle:.3g}°, at which no X-ray leaves the "
        f"specimen towards the detector: {_SET_ANGLE}"
    )


def _probe_area(signal, area):
    """Return the area of a pixel in nm²."""
    if isinstance(area, Real) and not isinstance(area, bool) and 0 < area < np.inf:
        return float(area)
    if not (isinstance(area, str) and area == "auto"):
        raise ValueError(f"probe_area must be 'auto' or a positive number in nm², not {area!r}")
    found = signal.metadata.get_item(f"{_TEM}.probe_area") or pixel_area(signal)
    if found is None:
        raise ValueError(
            "probe_area is not known, as the map's axes have no unit of length: pass probe_area= "
            "in nm², or " + _SET.format("probe_area")
        )
    return float(found)
