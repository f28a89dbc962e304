# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2 of PSNMF: spectra and loadings of the binned map.

2a determines the loadings with channels summed too; parsimony or a volume term resolves
the rotational ambiguity. 2b solves the convex problem of the spectra at full energy.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.binning.bins import bin_energy, bin_spectra, spread_spectra
from hyperspy_psnmf.nmf.binning.subset import choose_bins
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.lines.factorise import LineFit
from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.parsimony.absent_lines import (
    assign_exclusions,
    excluded_fractions,
    factorise_without_lines,
    fill_background,
)
from hyperspy_psnmf.nmf.parsimony.simplify import Simplification, simplify
from hyperspy_psnmf.nmf.solver.alternating import Factorisation, poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings, solve_spectra
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from hyperspy_psnmf.nmf.validation import Callback

STARTS = ("nndsvdar", "vertex", "random")  # compared by "auto"
# Chosen on the built-in phantoms.
TRIAL_ALTERNATIONS = 15
TRIAL_BINS = 1024
MIN_UNEXPLAINED = 1e-6  # fraction of the counts; less is no start for the free spectra


@dataclass(frozen=True, eq=False)
class BinnedSettings:
    """How to factorise the binned map.

    Attributes
    ----------
    n_components : int
        Number of components, the fixed ones included.
    fixed : ndarray of shape (n_fixed, n_channels)
        Fixed spectra, of unit sum. They come first in the result, unchanged.
    energy_binning : int
        Channels summed in step 2a.
    init : {"auto", "nndsvdar", "vertex", "random"} or ndarray (n_components, n_channels)
        Start. "auto" tries each and continues with the most likely.
    volume : float, optional
        Weight of the volume term in step 2a; 0 is maximum likelihood. None is parsimony without
        a volume term.
    line_width : int
        Channels; wider structures in a spectrum than that are background.
    absent : ndarray of bool of shape (n_components, n_channels), optional
        Channels excluded from a component: background only. Components of the result are in the
        order of its rows, which is that of their counts before any are excluded.
    assigns_absent : bool
        Whether rows of `absent` are in no order, and each belongs to the component that loses least
        by it; see `absent_lines`. Components of the result are in the order of their counts then.
    absent_like : ndarray of shape (n_components, n_channels), optional
        Spectra in the order of the rows of `absent`, each for the component most like it before any
        are excluded, in place of the order of counts.
    templates : Templates, optional
        X-ray lines and continuum that free spectra are made of; their channels are free
        without. `volume` is not used with templates.
    shape : tuple of int, optional
        Of the binned map, in array order. With it, bins that look alike are merged for spectra
        made of templates; see `regions`.
    """

    n_components: int
    fixed: np.ndarray
    energy_binning: int = 1
    init: str | np.ndarray = "auto"
    volume: float | None = None
    line_width: int = 1
    absent: np.ndarray | None = None
    assigns_absent: bool = False
    absent_like: np.ndarray | None = None
    templates: Templates | None = None
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class BinnedMap:
    """Result of step 2: loadings in counts, spectra of unit sum, convergence and parsimony.

    `absent_rows` has the row of ``settings.absent`` of each component, and `H_before` the spectra
    before channels were excluded; None without it.
    """

    W: np.ndarray
    H: np.ndarray
    fit: Factorisation | LineFit | None
    simplification: Simplification | None
    prior_weights: np.ndarray | None = None
    absent_rows: np.ndarray | None = None
    H_before: np.ndarray | None = None


def factorise_binned(binned, settings: BinnedSettings, rng, options: dict, notify: Callback):
    """Factorise a binned map.

    Parameters
    ----------
    binned : ndarray or csr_array of shape (n_bins, n_channels)
        Counts.
    settings : BinnedSettings
        Components, start, constraints.
    rng : numpy.random.Generator
        Source of random numbers.
    options : dict
        `max_iter`, `tol` and `n_jobs` of `poisson_nmf`.
    notify : callable
        Called with the name of the step, the iteration and its KKT residual.

    Returns
    -------
    BinnedMap
        Fixed components first, then the others in the order that `BinnedSettings` says.
    """
    coarse, fixed, n_jobs = binned, settings.fixed, options["n_jobs"]
    if settings.energy_binning > 1:
        coarse = bin_energy(binned, settings.energy_binning, n_jobs=n_jobs)
    fit, simpler, rows, H_before = _factorise_coarse(coarse, settings, rng, options, notify)
    W, H, absent = fit.W, fit.H, None if rows is None else settings.absent[rows]
    if settings.energy_binning > 1:
        H = spread_spectra(H, settings.energy_binning, binned.shape[1])
        H[: len(fixed)] = fixed
        if absent is not None:
            H = fill_background(H, absent)
        constraints = {"n_fixed": len(fixed), "frozen": absent, "n_jobs": n_jobs}
        W, H = solve_spectra(binned, W, H, **constraints)
        H = cover_channels(H, total_counts(binned, axis=0), len(fixed))
    if H_before is not None:
        H_before = spread_spectra(H_before, settings.energy_binning, binned.shape[1])
    return BinnedMap(W, H, fit, simpler, absent_rows=rows, H_before=H_before)


def _factorise_coarse(coarse, settings, rng, options, notify):
    """Step 2a; return the factorisation, what parsimony merged, the rows of `absent`, and spectra.

    The spectra are those before channels were excluded.
    """
    n_fixed = len(settings.fixed)
    parsimonious = settings.volume is None
    volume = 0.0 if parsimonious else settings.volume
    options = {**options, "n_fixed": n_fixed, "callback": forward(notify, "binned map")}
    H = _best_start(coarse, settings, rng, {**options, "volume": volume})
    fit, simpler = poisson_nmf(coarse, H, volume=volume, **options), None
    if parsimonious and settings.n_components > 1:
        options["callback"] = forward(notify, "parsimony")
        line_width = max(1, round(settings.line_width / settings.energy_binning))
        simpler = simplify(coarse, fit, line_width=line_width, **options)
        fit = simpler.fit
    order = find_order(fit.W, fit.H, settings, settings.energy_binning)
    fit = replace(fit, W=fit.W[:, order], H=fit.H[order])
    simpler = simpler and simpler.reorder(order)
    if settings.absent is None:
        return fit, simpler, None, None
    absent = bin_spectra(settings.absent.astype(float), settings.energy_binning) > 0
    free = absent[n_fixed:]
    rows = find_rows(settings, lambda: excluded_fractions(fit.H[n_fixed:], free))
    again = factorise_without_lines(coarse, fit, absent[rows], volume=volume, **options)
    return again, simpler, rows, fit.H


def find_order(W, H, settings: BinnedSettings, energy_binning: int = 1) -> np.ndarray:
    """Return the order of components before channels are excluded from them.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_coarse_channels)
        Spectra, with `energy_binning` channels summed.
    settings : BinnedSettings
        With the spectra that give the order, or by counts without.
    energy_binning : int
        Channels summed.
    """
    n_fixed, like = len(settings.fixed), settings.absent_like
    if settings.absent is None or like is None:
        return order_by_counts(W, n_fixed)
    free = match_spectra(H[n_fixed:], bin_spectra(like, energy_binning)[n_fixed:])
    return np.concatenate([np.arange(n_fixed), n_fixed + free])


def match_spectra(H: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return which component is most like each of other spectra, one each.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_channels)
        Spectra.
    like : ndarray of shape (n_components, n_channels)
        The others.

    Returns
    -------
    ndarray of int of shape (n_components,)
    """
    lengths = (np.maximum(np.linalg.norm(each, axis=1), TINY) for each in (like, H))
    cosines = like @ H.T / np.outer(*lengths)
    return linear_sum_assignment(cosines, maximize=True)[1]


def find_rows(settings: BinnedSettings, fractions) -> np.ndarray:
    """Return the row of ``settings.absent`` of each component.

    Parameters
    ----------
    settings : BinnedSettings
        With `absent`.
    fractions : callable
        Returns the fraction of its counts that each free component loses by each free row.
    """
    rows, n_fixed = np.arange(settings.n_components), len(settings.fixed)
    if settings.assigns_absent:
        rows[n_fixed:] = n_fixed + assign_exclusions(fractions(), settings.absent[n_fixed:])
    return rows


def order_by_counts(W, n_fixed: int) -> np.ndarray:
    """Return the order of components: fixed ones, then by counts, descending."""
    free = n_fixed + np.argsort(-W[:, n_fixed:].sum(axis=0), kind="stable")
    return np.concatenate([np.arange(n_fixed), free])


def _best_start(coarse, settings, rng, options):
    if not isinstance(settings.init, str) or settings.init != "auto":
        return start_spectra(coarse, settings, settings.init, rng)
    options = {**options, "max_iter": TRIAL_ALTERNATIONS}
    if coarse.shape[0] > TRIAL_BINS:
        coarse = coarse[choose_bins(coarse, TRIAL_BINS)]
    trials = [
        poisson_nmf(coarse, start_spectra(coarse, settings, init, rng), **options)
        for init in STARTS
    ]
    return min(trials, key=lambda trial: trial.history[-1]).H


def cover_channels(H, channel_counts, n_fixed):
    """Make the free spectra positive in channels with counts where all spectra are zero.

    A fixed spectrum may be positive in a bin of channels and yet be zero in some of
    the channels summed.
    """
    unexplained = (channel_counts > 0) & ~H.any(axis=0)
    if not unexplained.any() or n_fixed == len(H):
        return H
    free = np.where(unexplained, channel_counts / channel_counts.sum(), H[n_fixed:])
    return np.vstack([H[:n_fixed], free / free.sum(axis=1, keepdims=True)])


def start_spectra(coarse, settings: BinnedSettings, init, rng) -> np.ndarray:
    """Return the fixed spectra, then free ones initialised from the residual of these."""
    k, energy_binning = settings.n_components, settings.energy_binning
    fixed = bin_spectra(settings.fixed, energy_binning)
    if not isinstance(init, str):
        H = initial_spectra(coarse, k, bin_spectra(init, energy_binning), rng)
        return np.vstack([fixed, H[len(fixed) :]])
    if not len(fixed):
        return initial_spectra(coarse, k, init, rng)
    rest = _unexplained(coarse, solve_loadings(coarse, fixed), fixed)
    return np.vstack([fixed, initial_spectra(rest, k - len(fixed), init, rng)])


def _unexplained(X, W, H):
    """Return the positive residuals where there are counts; X if there are none."""
    if isinstance(X, np.ndarray):
        rest = np.maximum(X - W @ H, 0.0)
    else:
        row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        rest = X.copy()
        rest.data = np.maximum(X.data - np.einsum("pk,kp->p", W[row], H[:, X.indices]), 0.0)
    return rest if rest.sum() > MIN_UNEXPLAINED * X.sum() else X


def forward(notify: Callback, step: str):
    """Return a callback for `poisson_nmf` that reports the name of the step."""
    return lambda iteration, divergence, residual: notify(step, iteration, residual)
