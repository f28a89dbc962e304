# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.quantify()``: from the counts of phases to compositions with errors."""

import warnings
from dataclasses import replace

import numpy as np
from scipy.stats import norm

from hyperspy_psnmf.eds.decompose.fit_sentences import sentence_on_likelihood
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.intensities import measure_lines
from hyperspy_psnmf.eds.phase_map.regions import Regions
from hyperspy_psnmf.eds.quantify.absorption import PLAUSIBLE_THICKNESS
from hyperspy_psnmf.eds.quantify.complete_factors import complete_factors, note_on_computed
from hyperspy_psnmf.eds.quantify.composition_maps import keep_for_maps
from hyperspy_psnmf.eds.quantify.element_maps import per_count
from hyperspy_psnmf.eds.quantify.exspy_call import (
    Quantifier,
    derivatives,
    limits,
    propagate,
    trial_intensities,
)
from hyperspy_psnmf.eds.quantify.factors import check_factors, elements_to_exclude, resolve_factors
from hyperspy_psnmf.eds.quantify.normalisation import describe_normalisation, find_not_quantified
from hyperspy_psnmf.eds.quantify.options import Options, exposed, resolve_options
from hyperspy_psnmf.eds.quantify.reference import Reference
from hyperspy_psnmf.eds.quantify.result import Percent, Quantification
from hyperspy_psnmf.eds.signals.metadata import sample_elements
from hyperspy_psnmf.eds.uncertainty.ambiguity import Ambiguity, check_ambiguity, find_ambiguity
from hyperspy_psnmf.eds.uncertainty.jackknife import (
    N_FOLDS,
    are_estimates,
    find_spectra_without_folds,
    why_not_estimated,
)
from hyperspy_psnmf.nmf.validation import named

DETECTED = 3.0  # standard deviations of a blank (Goldstein et al., ch. 9)


def quantify(decomposed: Decomposed, options: Options) -> Quantification:
    """Return the composition of each phase; see the accessor."""
    return _quantify(decomposed, options)[0]


def find_ambiguity_of_compositions(
    decomposed: Decomposed, factors: dict, confidence: float
) -> Ambiguity:
    """Return the bands of a decomposed map, with compositions of the elements with factors."""
    options = Options(
        factors=factors,
        exclude=elements_to_exclude(decomposed.spectra, check_factors(factors)),
        ambiguity=True,
        confidence=confidence,
    )
    with named(intensities="s.psnmf.quantify() with intensities"):
        composition, found = _quantify(decomposed, options)
    percent = composition.atomic_percent
    bands = dict(zip(percent, np.moveaxis(composition.atomic.band, 1, 0), strict=True))
    return replace(found, compositions=percent, compositions_band=bands)


def _quantify(decomposed, options) -> tuple[Quantification, Ambiguity | None]:
    """Return the composition of each phase, and the ambiguity if that was asked for."""
    method = options.intensities
    regions = None if options.region is None else Regions.read(decomposed, options.region)
    names = decomposed.names if regions is None else regions.names
    kind, exposure, of_quantifier = resolve_options(decomposed, options, names)
    reference = Reference.read(options.reference, names, options.exclude, kind)
    resolved, computed, reference = _find_factors(decomposed, options, kind, reference)
    lines, values, errors = resolved
    if isinstance(options.ambiguity, Ambiguity):
        check_ambiguity(options.ambiguity, decomposed)
    listed = _others(decomposed.spectra, options.exclude)
    with named(method="intensities"):
        of_phases = measure_lines(decomposed, lines, method=method, elements=listed)
    measured = of_phases if regions is None else regions.intensities(decomposed, of_phases)
    fill = _fill(decomposed) if regions is None else regions.fill(decomposed)
    quantifier = Quantifier(measured.spectra, kind, lines, values, fill=fill, **of_quantifier)
    if exposure:
        n = decomposed.n_pixels
        quantifier = exposed(quantifier, **{name: n * value for name, value in exposure.items()})
    of_factors, on_factors = np.diag((errors / values) ** 2), []
    if reference is not None:
        quantifier, of_factors = reference.calibrate(quantifier, measured, errors / values)
        on_factors.append(reference.note(quantifier, of_factors))
    if computed:
        on_factors.append(note_on_computed(computed, decomposed.spectra))
    net, others = _usable(measured, names), _find_others(decomposed, options)
    unknown = "errors='counting'" if options.errors == "counting" else why_not_estimated(decomposed)
    refits = None if unknown else _net_without_folds(decomposed, of_phases, regions)
    atomic, weight = _compositions(quantifier, measured, net, of_factors, refits, others, reference)
    detected = measured.net > DETECTED * measured.blank
    besides = find_not_quantified(decomposed, of_phases, listed, regions)
    normalised = describe_normalisation(measured, listed, method, atomic.values, detected, besides)
    found = Quantification(
        names, quantifier.elements, lines, kind, options.composition_units, measured.counts,
        measured.net, measured.sigma, detected, atomic, weight,
        float(options.confidence) if others is None else others.confidence,
        keep_for_maps(decomposed, quantifier, of_phases, options.composition_units),
        (
            *normalised, *measured.notes, *on_factors,
            *_notes(decomposed, quantifier, unknown, others, exposure, regions),
        ),
        measured.fit, besides, "Phase" if regions is None else "Region",
    )  # fmt: skip
    return found, others


def _find_factors(decomposed, options, kind, reference):
    """Return lines, factors and errors; those computed; and the reference with its anchors."""
    channels, how = (decomposed.spectra, decomposed.map_input), options.intensities
    asked, factors = (options.xray_lines, options.exclude), options.factors
    computed: dict = {}
    if reference is not None:
        factors, reference = reference.with_lines(*channels, factors, *asked, how=how, method=kind)
    if kind == "CL":
        factors, computed, exclude = complete_factors(*channels, factors, *asked, method=how)
        asked = options.xray_lines, exclude
    resolved = resolve_factors(
        *channels, factors, *asked, method=how, windows="intensities='windows'"
    )
    if reference is not None:
        computed = {line: v for line, v in computed.items() if not reference.has(line)}
    return resolved, computed, reference


def _find_others(decomposed, options):
    """Return the ambiguity given or, if it was asked for, found; or None."""
    if not isinstance(options.ambiguity, bool):
        return options.ambiguity
    return find_ambiguity(decomposed, confidence=options.confidence) if options.ambiguity else None


def _net_without_folds(decomposed, measured, regions):
    """Return net counts (n_fits, n_rows, n_lines) with spectra found in a part of the counts."""
    others = decomposed.H[None]
    if are_estimates(decomposed):
        others = find_spectra_without_folds(decomposed, np.random.default_rng(0))
    change = np.zeros((len(others), *measured.spectra.data.shape))
    change[..., decomposed.map_input.inside] = others - decomposed.H
    net = measured.net + measured.of(change * measured.counts[:, None])
    if regions is None:
        return net
    return regions.net_with(decomposed, others, per_count(measured, net))


def _notes(decomposed, quantifier, unknown, others, exposure, regions):
    """Yield notes on what the errors do not include."""
    given = decomposed.names[: decomposed.n_fixed]
    if given:
        yield (
            f"spectra given and kept: {', '.join(given)}. Layers above and below where they were "
            "measured are part of their composition, and errors and bands do not include them"
        )
    if regions is not None:
        yield (
            "compositions of regions are those of the model, in which each pixel is a sum of the "
            "phases' spectra: see residuals() for where it does not fit"
        )
    if unknown:
        yield (
            "± includes counts and factors only, not what unmixing adds, and should not be "
            f"published alone ({unknown})"
        )
    if others is not None and not others.likelihood_ratio.is_as_likely:
        yield sentence_on_likelihood(others.likelihood_ratio, others.confidence).rstrip(".")
    if quantifier.method != "k_ratios" and not quantifier.absorption_correction:
        yield (
            "absorption in the specimen is not corrected for, and errors include that of up to "
            f"{PLAUSIBLE_THICKNESS:g} nm: thickness= in nm and density= in g/cm³ correct for it, "
            "or both in s.metadata.Sample"
        )
    if quantifier.method == "CL" and quantifier.absorption_correction:
        yield _sentence_on_absorption(quantifier)
    elif exposure and quantifier.absorption_correction:
        yield (
            "absorption in the specimen is corrected for with a live time of "
            f"{exposure['live_time']:.3g} s in each pixel; set live_time_per='pixel' or "
            "'map' if that in the metadata was misread"
        )


def _sentence_on_absorption(quantifier):
    density = "the mean of the elements' densities"
    if quantifier.density is not None:
        density = f"{_range(quantifier.density)} g/cm³"
    angle = quantifier.options["take_off_angle"]
    return (
        f"absorption in the specimen is corrected for: {_range(quantifier.thickness)} nm, "
        f"{density}, a take-off angle of {angle:.3g}°"
    )


def _range(values):
    """Return a number, or the lowest and the highest of several."""
    return " to ".join(dict.fromkeys(f"{v:.3g}" for v in (np.min(values), np.max(values))))


def _fill(decomposed):
    """Return the fraction of the pixels that each phase fills: 1 if it is the same in all."""
    loadings = np.nan_to_num(decomposed.loadings)
    squares = np.maximum((loadings**2).sum(axis=0), 1e-300)
    pixels = loadings.sum(axis=0) ** 2 / squares
    return np.maximum(pixels, 1.0) / decomposed.n_pixels


def _others(spectra, exclude):
    """Return elements that are fitted besides those to quantify."""
    return {*sample_elements(spectra), *([exclude] if isinstance(exclude, str) else exclude)}


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


def _compositions(quantifier, measured, net, relative, refits, others, reference):
    """Return compositions in atomic and in weight per cent, with all their errors."""
    trials = trial_intensities(net, measured.sigma, DETECTED * measured.blank)
    shape = (-1, *net.shape)
    parts = [net[:0] if refits is None else refits]
    parts.append(net[:0] if others is None else measured.of(others.alternatives))
    parts = [part.reshape(shape) for part in parts]
    if reference is not None:
        parts = [reference.follow(part, measured) for part in parts]
    everything = np.concatenate([trials, *(np.where(np.isnan(net), np.nan, p) for p in parts)])
    atomic = quantifier.atomic(everything)
    of_factors = _outer(np.maximum(net, 0.0)) * relative
    weight = quantifier.weight(atomic)
    changes = quantifier.changes_by_absorption(weight[0])
    if reference is not None:
        changes = reference.less_its_own(changes, quantifier.lines)
    of_absorption = _outer(np.maximum(net, 0.0) * changes)  # one thickness for all lines
    found, ends = [], np.cumsum([len(trials), len(parts[0])])
    for percent in (atomic, weight):
        at_trials, at_refits, at_others = np.split(percent, ends)
        result = _with_errors(trials, at_trials, measured, of_factors, of_absorption)
        if refits is not None:
            result = _with_unmixing(result, at_refits)
        if others is not None:
            result = _with_band(result, at_others, others.confidence)
        found.append(result)
    return found


def _outer(intensities):
    return intensities[:, :, None] * intensities[:, None, :]


def _with_errors(trials, percent, measured, of_factors, of_absorption):
    jacobian = derivatives(trials, percent)
    of_counts = measured.counting, measured.of_shapes, measured.covariance
    counting, shapes, total, factors, absorption = (
        propagate(jacobian, c) for c in (*of_counts, of_factors, of_absorption)
    )
    budget = {
        "counting": np.minimum(counting, total),
        "spectra": np.sqrt(np.maximum(total**2 - counting**2 - shapes**2, 0.0)),
        "shapes": shapes,
        "factors": factors,
        "absorption": absorption,
    }
    sigma = np.sqrt(total**2 + factors**2 + absorption**2)
    return Percent(percent[0], sigma, limits(percent), budget)


def _with_unmixing(found, without_folds):
    """Return percentages with the errors from those of the spectra (jackknife)."""
    square = ((without_folds - found.values) ** 2).mean(axis=0)
    unmixing = np.sqrt((N_FOLDS - 1) * square)
    return replace(
        found,
        sigma=np.hypot(found.sigma, unmixing),
        # An element that some of the fits find is not excluded by the noise of a blank.
        limits=np.minimum(np.hypot(found.limits, DETECTED * unmixing), 100.0),
        budget={**found.budget, "unmixing": unmixing},
    )


def _with_band(found, of_others, confidence):
    # The band includes the result itself, whatever the loadings of the alternatives.
    values = np.concatenate([found.values[None], of_others])
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    z = norm.ppf((1 + confidence) / 2)
    band = np.stack([low - z * found.sigma, high + z * found.sigma], axis=-1)
    budget = {**found.budget, "ambiguity": (high - low) / (2 * z)}
    return replace(found, budget=budget, band=np.clip(band, 0.0, 100.0))
