# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of maps and compositions from the errors of spectra; see `nmf.uncertainty.jackknife`."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lazy.read import NAME
from hyperspy_psnmf.eds.lines.templates import find_templates_again
from hyperspy_psnmf.eds.signals.progress import progress_of_steps
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import check_whole, holds_whole_counts
from hyperspy_psnmf.nmf.method.binned import BinnedSettings
from hyperspy_psnmf.nmf.method.refits import FreeRefits, LineRefits
from hyperspy_psnmf.nmf.uncertainty.jackknife import (
    Refits,
    errors_from_spectra,
    spectra_without_folds,
)
from hyperspy_psnmf.nmf.validation import random_generator

# A quarter of the counts is left out: half of them changes decisions that all counts do not.
N_FOLDS, N_SPLITS = 4, 2
STEP = "without a fold"  # name of the step for listeners


def find_errors_from_spectra(
    decomposed: Decomposed, *, show_progressbar=None, random_state=0
) -> np.ndarray:
    """Return the standard errors of the loadings that come from their spectra.

    Parameters
    ----------
    decomposed : Decomposed
        A map decomposed by PSNMF.
    show_progressbar : bool, optional
        None is HyperSpy's preference.
    random_state : int, Generator, RandomState or None
        Seed of the folds.

    Returns
    -------
    ndarray of shape (n_pixels, n_phases)
        In counts.

    Raises
    ------
    RuntimeError
        If another algorithm found the spectra, whose settings are unknown.
    ValueError
        If the data are not whole numbers.
    """
    d, rng = decomposed, random_generator(random_state)
    if d.record.algorithm != "PSNMF":
        raise RuntimeError(
            "given_spectra=False unmixes the map again with the settings of its decomposition, "
            "which must be by s.decomposition(algorithm='PSNMF')"
        )
    with d.open_counts() as X:
        check_whole(X, NAME)
        if not are_estimates(d):
            return np.zeros(d.W.shape)
        d.bin_opened(X)
        with progress_of_steps(show_progressbar, "Spectra without a fold", n_fits()) as ended:
            others = find_spectra_without_folds(d, rng, lambda: ended(STEP))
        return errors_from_spectra(X, d.W, d.H, others, n_folds=N_FOLDS, n_jobs=None)


def why_not_estimated(decomposed: Decomposed) -> str | None:
    """Return why the errors of spectra are not known, or None if they can be found."""
    record = decomposed.record
    if record.algorithm != "PSNMF":
        return "PSNMF did not find the spectra, and how they were found is not known"
    if record.spectra == "lines" and not record.template_elements:
        return "the templates that were given to the estimator are not stored"
    X = decomposed.counts_decomposed
    if not holds_whole_counts(X):
        return "the data are no whole counts, of which a part could be left out"
    return None


def n_fits() -> int:
    """Return how many fits `find_spectra_without_folds` makes: of all counts, and without folds."""
    return 1 + N_FOLDS * N_SPLITS


def find_spectra_without_folds(
    d: Decomposed, rng: np.random.Generator, notify: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Return spectra found without a fold of the counts; see `spectra_without_folds`.

    Parameters
    ----------
    d : Decomposed
        A map of whole counts decomposed by PSNMF.
    rng : numpy.random.Generator
        Of the folds.
    notify : callable
        Called after each of `n_fits` fits, from several threads.

    Returns
    -------
    ndarray of shape (n_fits, n_phases, n_channels_in_use)
        Of unit sum.
    """
    folds = {"n_folds": N_FOLDS, "n_splits": N_SPLITS, "n_fixed": d.n_fixed}
    return spectra_without_folds(_refits(d), d.H, rng, **folds, n_jobs=None, notify=notify)


def _refits(d: Decomposed) -> Refits:
    """Return fits with the settings by which the spectra were found."""
    record, binned = d.record, d.counts_decomposed
    if record.spectra != "lines":
        return FreeRefits(binned, d.H, _settings(d), record.max_iter, record.tol)
    reason = "errors of spectra are from fits to parts of the counts"
    templates = find_templates_again(d, total_counts(binned, axis=0), reason)
    W = record.binned_loadings.reshape(-1, len(d.H))
    return LineRefits(binned, W, d.H, replace(_settings(d), templates=templates), record.max_iter)


def _settings(d: Decomposed) -> BinnedSettings:
    record = d.record
    return BinnedSettings(
        len(d.H),
        d.H[: d.n_fixed],
        record.energy_binning,
        volume=None if record.parsimony else record.volume,
        line_width=record.line_width,
        absent=record.absent,
        shape=d.bins_decomposed.binned_shape,
    )


def are_estimates(decomposed: Decomposed) -> bool:
    """Return whether loadings depend on spectra that are estimates.

    They do not where all spectra were given, nor where a single phase has all counts.
    """
    return decomposed.n_fixed < len(decomposed.H) and len(decomposed.H) > 1
