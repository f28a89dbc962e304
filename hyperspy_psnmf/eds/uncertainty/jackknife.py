# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard errors of maps from the errors of their spectra; see `nmf.uncertainty.jackknife`."""

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lazy.read import NAME
from hyperspy_psnmf.eds.lines.templates import find_templates_again
from hyperspy_psnmf.eds.signals.progress import progress_bar, with_listener
from hyperspy_psnmf.nmf.binning.bins import bin_counts
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import check_whole
from hyperspy_psnmf.nmf.method.binned import BinnedSettings
from hyperspy_psnmf.nmf.uncertainty.jackknife import errors_from_spectra, spectra_without_folds
from hyperspy_psnmf.nmf.validation import random_generator

# Tuned on 22 maps of phantoms: with two folds, which leave out half of the counts and so change
# decisions of parsimony, 0.66 of the loadings were within one sigma, with four 0.72.
N_FOLDS, N_SPLITS = 4, 5


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
        if d.n_fixed == len(d.H) or len(d.H) == 1:  # all counts are a single phase's
            return np.zeros(d.W.shape)
        others = _spectra_without_folds(d, X, rng, show_progressbar)
        return errors_from_spectra(X, d.W, d.H, others, n_folds=N_FOLDS, n_jobs=None)


def _spectra_without_folds(d: Decomposed, X, rng, show_progressbar):
    binned = bin_counts(X, d.bins(X, max_bins=None), n_jobs=None)
    options = {"max_iter": d.record.max_iter, "tol": d.record.tol, "n_jobs": None}
    bar_options = {"desc": "Spectra without a fold", "unit": " fits", "total": N_FOLDS * N_SPLITS}
    with progress_bar(show_progressbar, **bar_options) as bar:
        notify = with_listener(None if bar is None else lambda *_: bar.update())
        return spectra_without_folds(
            binned,
            d.H,
            _settings(d, X),
            rng,
            options,
            n_folds=N_FOLDS,
            n_splits=N_SPLITS,
            notify=notify,
        )


def _settings(d: Decomposed, X) -> BinnedSettings:
    """Return the settings by which the spectra were found."""
    record, templates = d.record, None
    if record.spectra == "lines":
        counts = total_counts(X, axis=0)
        templates = find_templates_again(d, counts, "given_spectra=False unmixes the map again")
    return BinnedSettings(
        len(d.H),
        d.H[: d.n_fixed],
        record.energy_binning,
        d.H if record.init == "given" else record.init,
        record.volume,
        record.line_width,
        record.absent,
        templates,
    )
