# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.quantify()``: from the counts of phases to compositions with errors."""

import warnings
from dataclasses import replace

import numpy as np
from scipy.stats import norm

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.intensities import METHODS as INTENSITIES
from hyperspy_psnmf.eds.lines.intensities import measure_lines
from hyperspy_psnmf.eds.quantify.composition_maps import keep_for_maps
from hyperspy_psnmf.eds.quantify.exspy_call import (
    Quantifier,
    derivatives,
    limits,
    propagate,
    trial_intensities,
)
from hyperspy_psnmf.eds.quantify.factors import check_factors, elements_to_exclude, resolve_factors
from hyperspy_psnmf.eds.quantify.normalisation import describe_normalisation, find_not_quantified
from hyperspy_psnmf.eds.quantify.options import exposed, resolve_options
from hyperspy_psnmf.eds.quantify.result import UNITS, Percent, Quantification
from hyperspy_psnmf.eds.signals.metadata import sample_elements
from hyperspy_psnmf.eds.uncertainty.alternatives import find_alternatives
from hyperspy_psnmf.nmf.validation import check_choice, check_confidence, named

DETECTED = 3.0  # standard deviations of a blank (Goldstein et al., ch. 9)


def quantify(decomposed, method: str | None = None, factors: dict | None = None, **options):
    """Return the composition of each phase; see the accessor for the options."""
    return quantify_among(decomposed, method, factors, **options)[0]


def quantify_among(
    decomposed: Decomposed,
    method: str | None = None,
    factors: dict | None = None,
    *,
    composition_units: str = "atomic",
    xray_lines=None,
    exclude=(),
    intensities: str = "model",
    absorption_correction: bool = False,
    thickness=None,
    density=None,
    take_off_angle="auto",
    probe_area="auto",
    live_time_per: str | None = None,
    ambiguity: bool = False,
    confidence: float = 0.95,
) -> tuple[Quantification, tuple | None]:
    """Return the composition of each phase, and the result of `find_alternatives`.

    The latter is None without `ambiguity`.
    """
    signal, names = decomposed.signal, decomposed.names
    check_choice("composition_units", composition_units, tuple(UNITS))
    check_choice("intensities", intensities, INTENSITIES)
    check_confidence(confidence)
    if not isinstance(ambiguity, bool):
        raise TypeError(f"ambiguity must be True or False, not {ambiguity!r}")
    method, exposure, options = resolve_options(
        signal, names, method, absorption_correction=absorption_correction, thickness=thickness,
        density=density, take_off_angle=take_off_angle, probe_area=probe_area,
        live_time_per=live_time_per,
    )  # fmt: skip
    lines, values, errors = resolve_factors(
        signal, decomposed.keep_channels, factors, xray_lines, exclude, method=intensities,
        windows="intensities='windows'",
    )  # fmt: skip
    listed = _others(signal, exclude)
    with named(method="intensities"):
        measured = measure_lines(decomposed, lines, method=intensities, elements=listed)
    quantifier = Quantifier(
        measured.spectra, method, lines, values, fill=_fill(decomposed), **options
    )
    if exposure:
        n = decomposed.n_pixels
        quantifier = exposed(quantifier, **{name: n * value for name, value in exposure.items()})
    net = _usable(measured, names)
    others = find_alternatives(decomposed, confidence) if ambiguity else None
    atomic, weight = _compositions(quantifier, measured, net, errors / values, others, confidence)
    detected = measured.net > DETECTED * measured.blank
    besides = find_not_quantified(decomposed, measured, listed)
    normalised = describe_normalisation(
        measured, listed, intensities, atomic.values, detected, besides
    )
    found = Quantification(
        names, quantifier.elements, lines, method, composition_units, measured.counts,
        measured.net, measured.sigma, detected, atomic, weight, float(confidence),
        keep_for_maps(decomposed, quantifier, measured, composition_units),
        (*normalised, *measured.notes, *_notes(decomposed, quantifier, others, exposure)),
        measured.fit, besides,
    )  # fmt: skip
    return found, others


def _notes(decomposed, quantifier, others, exposure):
    """Yield notes on what the errors do not include."""
    given = decomposed.names[: decomposed.n_fixed]
    if given:
        yield (
            f"spectra given and kept: {', '.join(given)}. Layers above and below where they were "
            "measured are part of their composition, and errors and bands do not include them"
        )
    if others is None:
        yield (
            "± includes counts and factors only and should not be published alone: other "
            "factorisations may fit equally well, and ambiguity=True gives their band"
        )
    if quantifier.method != "k_ratios" and not quantifier.absorption_correction:
        yield (
            "absorption in the specimen is not corrected for: absorption_correction=True, with "
            "thickness= in nm and density= in g/cm³"
        )
    if exposure and quantifier.absorption_correction:
        yield (
            "absorption in the specimen is corrected for with a live time of "
            f"{exposure['live_time']:.3g} s in each pixel; set live_time_per='pixel' or "
            "'map' if that in the metadata was misread"
        )


def _fill(decomposed):
    """Return the fraction of the pixels that each phase fills: 1 if it is the same in all."""
    loadings = np.nan_to_num(decomposed.loadings)
    squares = np.maximum((loadings**2).sum(axis=0), 1e-300)
    pixels = loadings.sum(axis=0) ** 2 / squares
    return np.maximum(pixels, 1.0) / decomposed.n_pixels


def _others(signal, exclude):
    """Return elements that are fitted besides those to quantify."""
    return {*sample_elements(signal), *([exclude] if isinstance(exclude, str) else exclude)}


def _usable(measured, names):
    """Return net counts, NaN in phases whose total is not significant."""
    total = np.maximum(measured.net, 0.0).sum(axis=1)
    noise = np.sqrt(measured.covariance.sum(axis=(1, 2)))
    few = ~(total > DETECTED * noise) | (total < 1.0)
    if few.any():
        which = ", ".join(name for name, f in zip(names, few, strict=True) if f)
        warnings.warn(
            f"{which}: too few counts in the lines for a composition, which is NaN",
            UserWarning,
            stacklevel=4,
        )
    return np.where(few[:, None], np.nan, measured.net)


def _compositions(quantifier, measured, net, relative, others, confidence):
    """Return compositions in atomic and in weight per cent, with all their errors."""
    trials = trial_intensities(net, measured.sigma, DETECTED * measured.blank)
    everything = trials
    if others is not None:
        alternatives, window = others
        of_others = measured.of(window.spread(alternatives.spectra))
        everything = np.concatenate([trials, np.where(np.isnan(net), np.nan, of_others)])
    atomic = quantifier.atomic(everything)
    of_factors = np.eye(net.shape[1]) * ((relative * np.maximum(net, 0.0)) ** 2)[:, None, :]
    found = []
    for percent in (atomic, quantifier.weight(atomic)):
        at_trials, at_others = np.split(percent, [len(trials)])
        result = _with_errors(trials, at_trials, measured, of_factors)
        found.append(result if others is None else _with_band(result, at_others, confidence))
    return found


def _with_errors(trials, percent, measured, of_factors):
    jacobian = derivatives(trials, percent)
    counting, shapes, total, factors = (
        propagate(jacobian, c)
        for c in (measured.counting, measured.of_shapes, measured.covariance, of_factors)
    )
    budget = {
        "counting": np.minimum(counting, total),
        "spectra": np.sqrt(np.maximum(total**2 - counting**2 - shapes**2, 0.0)),
        "shapes": shapes,
        "factors": factors,
    }
    return Percent(percent[0], np.hypot(total, factors), limits(percent), budget)


def _with_band(found, of_others, confidence):
    # The band includes the result itself, whatever the loadings of the alternatives.
    values = np.concatenate([found.values[None], of_others])
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    z = norm.ppf((1 + confidence) / 2)
    band = np.stack([low - z * found.sigma, high + z * found.sigma], axis=-1)
    budget = {**found.budget, "ambiguity": (high - low) / (2 * z)}
    return replace(found, budget=budget, band=np.clip(band, 0.0, 100.0))


def quantify_with_bands(decomposed, factors, confidence):
    """Return compositions of the elements with factors, and the result of `find_alternatives`."""
    check_confidence(confidence)
    exclude = elements_to_exclude(decomposed.signal, check_factors(factors))
    with named(intensities="s.psnmf.quantify() with intensities"):
        return quantify_among(
            decomposed, None, factors, exclude=exclude, ambiguity=True, confidence=confidence
        )
