# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that compare an unmixed map with the truth of its phantom."""

from dataclasses import dataclass, replace

import numpy as np
from exspy.signals import EDSTEMSpectrum
from scipy.optimize import curve_fit, linear_sum_assignment
from scipy.special import ndtr, ndtri

from hyperspy_psnmf.eds.lines.windows import intensity_signals
from hyperspy_psnmf.eds.quantify.exspy_call import Quantifier
from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.solver.convex import solve_loadings

SIGMA_TO_10_90 = 2.0 * float(ndtri(0.9))
MARGIN = 2.0  # pixels around a particle: the blur of the probe


@dataclass(frozen=True)
class Unmixed:
    """A map as a sum of components: ``loadings @ factors.T`` are its counts.

    Attributes
    ----------
    factors : ndarray of shape (n_channels, n_components)
    loadings : ndarray of shape (n_pixels, n_components)
    seconds : float
    signed : bool
        Whether components may be negative; then only their product means anything.
    """

    factors: np.ndarray
    loadings: np.ndarray
    seconds: float = np.nan
    signed: bool = False


def in_counts(found: Unmixed) -> Unmixed:
    """Scale spectra to unit sum, so that loadings are counts."""
    sums = found.factors.sum(axis=0)
    scale = np.where(sums > 0, sums, 1.0)
    return replace(found, factors=found.factors / scale, loadings=found.loadings * scale)


def true_phases(truth) -> tuple[list[str], Unmixed]:
    """Names, spectra and maps of the phases to find.

    Of a solid solution these are the end members, with the maps that describe the
    noise-free counts best.
    """
    names = list(truth.phase_names)
    if "end_members" not in truth:
        return names, Unmixed(truth.factors, truth.loadings)
    ends = truth.factors[:, [names.index(name) for name in truth.end_members]]
    # As many counts as make the tolerance of the solver, in nats, negligible.
    counts = 1e6
    shares = solve_loadings(np.ascontiguousarray(counts * truth.factors.T), ends.T) / counts
    return list(truth.end_members), Unmixed(ends, truth.loadings @ shares)


def match(true: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match found spectra to true ones by the smallest sum of angles.

    Parameters
    ----------
    true : ndarray of shape (n_channels, n_phases)
    found : ndarray of shape (n_channels, n_components)

    Returns
    -------
    component : ndarray of int, shape (n_phases,)
        The component of each phase; -1 where there are fewer components than phases.
    angle : ndarray of shape (n_phases,)
        In degrees; NaN where there is no component.
    """
    norms = np.linalg.norm(true, axis=0)[:, None] * np.linalg.norm(found, axis=0)
    cosine = np.divide(true.T @ found, norms, out=np.zeros_like(norms), where=norms > 0)
    angles = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    phases, components = linear_sum_assignment(angles)
    component = np.full(true.shape[1], -1)
    component[phases] = components
    return component, np.where(component < 0, np.nan, angles[np.arange(len(angles)), component])


def atomic_percent(factors: np.ndarray, signal) -> dict[str, np.ndarray]:
    """Composition of spectra by line ratios, one line per element, without absorption.

    An SEM's spectra are treated like a TEM's: what absorption does, it does to the true
    spectra too.
    """
    lines = {}
    for line, k_factor in sorted(signal.metadata.Truth.k_factors.as_dictionary().items()):
        lines.setdefault(line.split("_")[0], (line, k_factor))
    energy = signal.axes_manager.signal_axes[0].get_axis_dictionary()
    spectra = EDSTEMSpectrum(1e6 * factors.T, axes=[{"size": factors.shape[1]}, energy])
    spectra.axes_manager[0].navigate = True
    kind = "SEM" if "SEM" in signal.metadata.Acquisition_instrument else "TEM"
    instrument = signal.metadata.Acquisition_instrument[kind]
    spectra.set_microscope_parameters(
        beam_energy=instrument.beam_energy,
        energy_resolution_MnKa=instrument.Detector.EDS.energy_resolution_MnKa,
    )
    spectra.set_elements(list(lines))
    names, k_factors = map(list, zip(*lines.values(), strict=True))
    net = np.array([np.ravel(s.data) for s in intensity_signals(spectra, names)]).T
    percent = Quantifier(spectra, "CL", names, np.array(k_factors)).atomic(net)
    return dict(zip(lines, percent.T, strict=True))


def composition_errors(true: np.ndarray, found: np.ndarray, signal) -> np.ndarray:
    """Largest error of an element in each phase, in at%; spectra are matched already.

    Both compositions are by line ratios, so that it is the spectrum that is judged, not
    the quantification.
    """
    both = np.array(list(atomic_percent(np.hstack([true, found]), signal).values()))
    expected, measured = np.hsplit(both, 2)
    return np.nan_to_num(np.abs(measured - expected), nan=100.0).max(axis=0)


def reconstruction_error(found: Unmixed, truth) -> float:
    """Relative Frobenius distance of the map to its noise-free counts.

    From inner products of the components: the cubes themselves are never made.
    """
    loadings = np.hstack([found.loadings, -truth.loadings])
    factors = np.hstack([found.factors, truth.factors])
    squared = ((loadings.T @ loadings) * (factors.T @ factors)).sum()
    true = ((truth.loadings.T @ truth.loadings) * (truth.factors.T @ truth.factors)).sum()
    return float(np.sqrt(max(squared, 0.0) / true))


def edge_width(image: np.ndarray, positions: np.ndarray) -> float:
    """Distance in pixels from 10 % to 90 % of an error function fitted to an edge.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)
        A loading.
    positions : ndarray of shape (ny,)
        Column where each row crosses the edge.
    """
    distance = np.arange(image.shape[1]) - positions[:, None]
    before, after = image[distance < 0].mean(), image[distance >= 0].mean()
    start = (before, after - before, 0.0, 1.0)
    scale = np.abs(image).max() or 1.0  # the fit's tolerances are absolute in part

    def profile(x, base, height, shift, sigma):
        return base + height * ndtr((x - shift) / np.abs(sigma))

    try:
        best, _ = curve_fit(
            profile, distance.ravel(), image.ravel() / scale, np.divide(start, (scale, scale, 1, 1))
        )
    except RuntimeError:  # no edge to be seen
        return np.nan
    return float(SIGMA_TO_10_90 * abs(best[3]))


def counts_kept(image: np.ndarray, true: np.ndarray, centres: np.ndarray, diameter: float) -> float:
    """Share of the particles' true counts that a map holds within their circles.

    What it holds on average elsewhere counts as its background.

    Parameters
    ----------
    image, true : ndarray of shape (ny, nx)
        Found and true loading of the particles' phase.
    centres : ndarray of shape (n_particles, 2)
        Row and column.
    diameter : float
        In pixels.
    """
    rows, columns = np.indices(image.shape)
    near = np.zeros(image.shape, dtype=bool)
    for row, column in centres:
        near |= np.hypot(rows - row, columns - column) <= 0.5 * diameter + MARGIN
    if near.all():
        return np.nan
    inside = [np.sum(m[near] - m[~near].mean()) for m in (image, true)]
    return float(inside[0] / inside[1])


def excess_divergence(X, found: Unmixed, truth) -> float:
    """Divergence of the counts from the fit, less that from the truth, in nats."""
    return divergence(X, found.loadings, found.factors, n_jobs=None) - divergence(
        X, truth.loadings, truth.factors, n_jobs=None
    )


def figures(signal, X, found: Unmixed) -> dict[str, object]:
    """All figures of one unmixed map; NaN or absent where a figure has no meaning.

    Parameters
    ----------
    signal : EDSSpectrum
        A phantom.
    X : csr_array of shape (n_pixels, n_channels)
        Its counts.
    found : Unmixed
    """
    truth = signal.metadata.Truth
    result = {"reconstruction": reconstruction_error(found, truth), "seconds": found.seconds}
    if found.signed:
        return result
    found = in_counts(found)
    _, true = true_phases(truth)
    component, angles = match(true.factors, found.factors)
    errors = np.full(len(angles), np.nan)
    kept = component >= 0
    errors[kept] = composition_errors(
        true.factors[:, kept], found.factors[:, component[kept]], signal
    )
    excess = excess_divergence(X, found, truth)
    result |= {"angles": angles, "at_percent": errors, "excess": excess}
    matched = np.where(kept, found.loadings[:, component], np.nan)
    return result | map_figures(signal, true.loadings, matched)


def map_figures(signal, true: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Figures of the maps, for the phantoms that are made for them.

    Parameters
    ----------
    signal : EDSSpectrum
        A phantom.
    true, found : ndarray of shape (n_pixels, n_phases)
        Loadings; NaN where a phase was not found.
    """
    truth, shape = signal.metadata.Truth, signal.data.shape[:2]
    if "edge_width" in truth:
        images = [image.reshape(shape) for image in found.T if not np.isnan(image).any()]
        widths = [edge_width(image, truth.edge_positions) for image in images]
        return {"edge_width": float(np.mean(widths))}
    if "particle_diameter" in truth:
        where = truth.particle_centres, truth.particle_diameter
        # All but the support, which is the first phase.
        images = (loadings[:, 1:].sum(axis=1).reshape(shape) for loadings in (found, true))
        return {"kept": counts_kept(*images, *where)}
    return {}
