# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.quantify()``: from the counts of phases to compositions with errors."""

import warnings
from dataclasses import replace

import numpy as np

from hyperspy_psnmf.eds.decompose.fit_sentences import sentence_on_likelihood
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.intensities import measure_lines
from hyperspy_psnmf.eds.phase_map.regions import Regions
from hyperspy_psnmf.eds.quantify.absorption import PLAUSIBLE_THICKNESS
from hyperspy_psnmf.eds.quantify.complete_factors import complete_factors, note_on_computed
from hyperspy_psnmf.eds.quantify.composition_maps import keep_for_maps
from hyperspy_psnmf.eds.quantify.compositions import DETECTED, find_compositions
from hyperspy_psnmf.eds.quantify.element_maps import per_count
from hyperspy_psnmf.eds.quantify.exspy_call import Quantifier
from hyperspy_psnmf.eds.quantify.factors import check_factors, elements_to_exclude, resolve_factors
from hyperspy_psnmf.eds.quantify.normalisation import describe_normalisation, find_not_quantified
from hyperspy_psnmf.eds.quantify.options import (
    Options,
    exposed,
    find_take_off_angle,
    resolve_options,
)
from hyperspy_psnmf.eds.quantify.reference import Reference
from hyperspy_psnmf.eds.quantify.result import Quantification
from hyperspy_psnmf.eds.signals.metadata import sample_elements
from hyperspy_psnmf.eds.signals.progress import progress_of_steps
from hyperspy_psnmf.eds.uncertainty.ambiguity import Ambiguity, check_ambiguity, find_ambiguity
from hyperspy_psnmf.eds.uncertainty.jackknife import (
    STEP,
    are_estimates,
    find_spectra_without_folds,
    n_fits,
    why_not_estimated,
)
from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.validation import named


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
    unknown = "errors='counting'" if options.errors == "counting" else why_not_estimated(decomposed)
    n_steps = 2 + (options.ambiguity is True)
    if not unknown and are_estimates(decomposed):
        n_steps += n_fits()
    with progress_of_steps(options.show_progressbar, "Quantification", n_steps) as ended:
        with named(method="intensities"):
            of_phases = measure_lines(decomposed, lines, method=method, elements=listed)
        ended("fit of lines")
        measured = of_phases if regions is None else regions.intensities(decomposed, of_phases)
        fill = _fill(decomposed) if regions is None else regions.fill(decomposed)
        quantifier = Quantifier(measured.spectra, kind, lines, values, fill=fill, **of_quantifier)
        if exposure:
            n = decomposed.n_pixels
            exposure_of_map = {name: n * value for name, value in exposure.items()}
            quantifier = exposed(quantifier, **exposure_of_map)
        of_factors, on_factors = np.diag((errors / values) ** 2), []
        if reference is not None:
            quantifier, of_factors = reference.calibrate(quantifier, measured, errors / values)
            on_factors.append(reference.note(quantifier, of_factors))
        if computed:
            on_factors.append(note_on_computed(computed, decomposed.spectra))
        net, others = _usable(measured, names), _find_others(decomposed, options)
        if options.ambiguity is True:
            ended("ambiguity")
        refits = None if unknown else _net_without_folds(decomposed, of_phases, regions, ended)
        besides = find_not_quantified(decomposed, of_phases, listed, regions)
        ended("other elements")
    alternatives = {"refits": refits, "others": others, "reference": reference}
    atomic, weight = find_compositions(quantifier, measured, net, of_factors, **alternatives)
    detected = measured.net > DETECTED * measured.blank
    normalised = describe_normalisation(measured, listed, method, atomic.values, detected, besides)
    found = Quantification(
        names, quantifier.elements, lines, kind, options.composition_units, measured.counts,
        measured.net, measured.sigma, detected, atomic, weight,
        float(options.confidence) if others is None else others.confidence,
        keep_for_maps(decomposed, quantifier, of_phases, options.composition_units, regions),
        (
            *normalised, *measured.notes, *on_factors,
            *_notes(decomposed, options, quantifier, unknown, others, exposure, regions),
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


def _net_without_folds(decomposed, measured, regions, ended):
    """Return net counts (n_fits, n_rows, n_lines) with spectra found in a part of the counts."""
    others = decomposed.H[None]
    if are_estimates(decomposed):
        rng = np.random.default_rng(0)
        others = find_spectra_without_folds(decomposed, rng, lambda: ended(STEP))
    change = np.zeros((len(others), *measured.spectra.data.shape))
    change[..., decomposed.map_input.inside] = others - decomposed.H
    net = measured.net + measured.of(change * measured.counts[:, None])
    if regions is None:
        return net
    return regions.net_with(decomposed, others, per_count(measured, net))


def _notes(decomposed, options, quantifier, unknown, others, exposure, regions):
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
        _, unknown_angle = find_take_off_angle(decomposed.signal, options.take_off_angle)
        if unknown_angle:
            yield unknown_angle
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
    squares = np.maximum((loadings**2).sum(axis=0), TINY)
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
