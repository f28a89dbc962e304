# SPDX-License-Identifier: GPL-3.0-or-later
"""The binning of a map, where none is given."""

import numpy as np

from hyperspy_psnmf.estimators.checks import check_binning
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.binning.tiles import take_tiles
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.selection.binning import BinningChoice, choose_finer_binning


def choose_binning(model, X, shape: tuple[int, ...], fixed, callback) -> BinningChoice:
    """Return the binning of a `PSNMF` model, given or by the counts of the map.

    Parameters
    ----------
    model : PSNMFModel
        With its parameters.
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts.
    shape : tuple of int
        Of the map, in array order.
    fixed : ndarray of shape (n_fixed, n_channels)
        Fixed components.
    callback : callable or None
        Called with the name of the step, the iteration and its KKT residual.
    """
    given = check_binning(model.binning, shape, model.n_components)
    if given is not None:
        return BinningChoice(given)
    tiles = take_tiles(X, shape, model.n_components)
    choice = choose_finer_binning(
        tiles.X,
        model.n_components,
        tiles.shape,
        fixed_spectra=fixed,
        energy_binning=model.energy_binning,
        of_lines=model.templates is not None,
        rng=np.random.default_rng(0),  # its own: the same start as with the binning given
        n_jobs=resolve_n_jobs(model.n_jobs),
        callback=callback,
    )
    if tiles.shape != shape:
        choice = choice.on_map(len(shape), tiles.X.shape[0])
    if isinstance(X, CountBlocks):
        choice = choice.fitting(shape, X.shape[1], X.binned_bytes)
    return choice
