# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.decomposition(algorithm="PSNMF")``: from a signal to its learning results."""

import inspect
import warnings
from contextlib import nullcontext
from dataclasses import replace

from hyperspy_psnmf.eds.decompose.absent_elements import absent_channels
from hyperspy_psnmf.eds.decompose.fixed_spectra import spectra_on_map
from hyperspy_psnmf.eds.decompose.masks import channels_in_use, pixels_in_use
from hyperspy_psnmf.eds.decompose.n_phases import MAX_COMPONENTS, channels_per_line, choose_number
from hyperspy_psnmf.eds.decompose.notes import notes
from hyperspy_psnmf.eds.decompose.record import make_record
from hyperspy_psnmf.eds.decompose.report import summary
from hyperspy_psnmf.eds.decompose.stock_arguments import (
    bind_arguments,
    check_for_auto,
    check_output_dimension,
    count_channels,
)
from hyperspy_psnmf.eds.lazy.memory import resolve_max_memory
from hyperspy_psnmf.eds.lazy.open_counts import open_counts
from hyperspy_psnmf.eds.lazy.read import NAME, check_data
from hyperspy_psnmf.eds.signals.axes import (
    binning_in_array_order,
    line_width,
    map_shape,
    resolve_energy_binning,
)
from hyperspy_psnmf.eds.signals.learning_results import write_results
from hyperspy_psnmf.eds.signals.progress import has_listener, progress_of_decomposition
from hyperspy_psnmf.eds.signals.same_data import make_fingerprint
from hyperspy_psnmf.estimators import PSNMF
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.counts.matrix import check_range
from hyperspy_psnmf.nmf.validation import check_scale, named, random_generator

MODEL_PARAMETERS = frozenset(inspect.signature(PSNMF).parameters) - {"n_components"}


def decompose_as_stock(signal, original, args, kwargs):
    """Run PSNMF for a call written for a stock ``decomposition`` method.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    original : callable
        The wrapped function.
    args, kwargs
        What the caller passed. See `decompose` for the meaning.
    """
    passed = bind_arguments(decompose, original, args, kwargs)
    twice = sorted(passed.keys() & MODEL_PARAMETERS)
    if twice and not isinstance(passed["algorithm"], str):
        raise TypeError(
            f"{', '.join(twice)} must be given to the estimator that is passed as algorithm, "
            "not to decomposition()"
        )
    return decompose(signal, **passed)


def decompose(
    signal,
    *,
    algorithm="PSNMF",
    output_dimension=None,
    binning="auto",
    energy_binning="auto",
    energy_range=None,
    init="auto",
    fixed_spectra=None,
    absent=None,
    volume="auto",
    refinement="fixed",
    spatial_prior="auto",
    navigation_mask=None,
    signal_mask=None,
    counts_per_unit=None,
    return_info=False,
    print_info=True,
    show_progressbar=None,
    max_iter=500,
    tol=1e-5,
    random_state=0,
    n_jobs=None,
    max_memory="auto",
):
    """Unmix an EDS map into phases and store the learning results.

    Parameters
    ----------
    signal : EDSSpectrum
        A map of counts with 1 to 3 navigation axes, eager or lazy.
    algorithm : "PSNMF", PSNMF or PoissonNMF
        The method, or an estimator with its own parameters, which may not be given as
        keywords then.
    output_dimension : int or "auto"
        Number of phases, the fixed ones included. "auto" takes the estimate of
        ``s.psnmf.estimate_number_of_components()``.
    binning : "auto", int or tuple of int
        Pixels summed to find the spectra: along each spatial axis, or one
        number per axis in (x, y) order. "auto" is nearest to 4000 counts per
        bin for the median pixel, halved as long as the held-out deviance falls, as where
        features are small.
    energy_binning : "auto" or int
        Channels summed while the binned maps are factorised; "auto" is 40 eV.
        Spectra have full energy resolution in the end.
    energy_range : (float, float), optional
        Energies used, in keV; the rest counts as masked.
    init : {"auto", "nndsvdar", "vertex", "random"} or array (output_dimension, n_channels)
        Spectra to start from. "auto" tries each and continues with the most likely one.
    fixed_spectra : EDS signal or array of shape (n_fixed, n_channels), optional
        Spectra of phases that are not fitted; they come first in the result.
    absent : dict, optional
        Elements excluded from a phase, as ``{phase: [elements]}``, by its number or name in
        the result without this argument. At their lines, that phase has background only.
        The order of phases stays.
    volume : "auto" or float
        The choice among factorisations that fit the counts equally well. A float is the
        weight of a penalty on the volume that the spectra span; 0 is maximum likelihood.
        "auto" is parsimony: loadings that are not significant are zero, a phase in constant
        proportion to another is merged with it, and a matrix in varying proportion to a
        phase is subtracted from it. ``s.psnmf.ambiguity()`` gives the range of the others.
    refinement : {"fixed", "joint"}
        Whether the spectra are fixed at full resolution or updated too, as
        published.
    spatial_prior : "auto" or float
        Weight of neighbouring pixels that agree within errors, relative to the pixel itself,
        in the maps at full resolution (adaptive smoothing): 0 is none, "auto" is 1. Edges
        are not smoothed.
    navigation_mask : ndarray, BaseSignal or float, optional
        Pixels left out (True), an array in (x, y) order; a float is the
        threshold of ``vacuum_mask``, on EDS_TEM signals.
    signal_mask : ndarray or BaseSignal, optional
        Channels left out (True).
    counts_per_unit : float, optional
        Factor from the data to counts, for rates (the live time of a pixel), means of frames
        (their number) or a map divided by its maximum (that maximum); 1 by default. Products
        within 0.02 of whole numbers are rounded to them. Loadings and all results from them
        are in these counts. The signal's data stay as they are,
        and so does the unit of a threshold for `navigation_mask`.
    return_info : bool
        Return the fitted estimator.
    print_info : bool
        Print the settings chosen and the convergence.
    show_progressbar : bool, optional
        None is HyperSpy's preference.
    max_iter : int
        Iterations on the binned map at most.
    tol : float
        Relative KKT residual at which to stop, in nats per count.
    random_state : int, Generator, RandomState or None
        Seed of the start.
    n_jobs : int or None
        Threads; None is all cores.
    max_memory : "auto", int or str
        Bytes, or as in "2 GB". The counts of a lazy signal stay in memory if all that is made
        of them, eleven times their sparse matrix, fits in. Otherwise an eleventh of it is
        for the counts, and the others are kept in temporary files, in the folder of
        ``dask.config.get("temporary-directory")`` or the system's; each thread works on
        blocks of a thirty-second, and on bands for the spatial prior of up to ten times
        that. On a cluster counts are always on its workers. It does not bound what comes
        on top: the chunks being read, one or 32 MB in each thread, the binned map, 0.5 GB
        at most, and for each pixel about 30 bytes and 60 for each phase. "auto" is a
        quarter of the available memory, and 1.5 GB at most.

    Returns
    -------
    PSNMF or PoissonNMF or None
        The fitted estimator with `return_info`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, before any work; the signal is left as it was.
    OSError
        If there is no room for temporary files; none is left, nor is the signal changed.

    Warns
    -----
    UserWarning
        For each weakness of the result, such as data that are not counts.
    """
    check_data(signal)
    max_memory = resolve_max_memory(max_memory)
    counts_per_unit = check_scale("counts_per_unit", counts_per_unit)
    keep_pixels = pixels_in_use(signal, navigation_mask)
    keep_channels = channels_in_use(signal, signal_mask, energy_range)
    k = check_output_dimension(signal, algorithm, output_dimension, keep_pixels, keep_channels)
    estimator = algorithm
    if isinstance(algorithm, str):
        fixed_spectra = _on_map("fixed_spectra", fixed_spectra, signal, keep_channels)
        if k is None:
            check_for_auto(init, absent)
        estimator = PSNMF(
            # The least possible number, until it has been estimated.
            k or max(1, 0 if fixed_spectra is None else len(fixed_spectra)),
            binning=binning_in_array_order(signal, binning),
            energy_binning=resolve_energy_binning(
                signal, energy_binning, count_channels(signal, keep_channels)
            ),
            init=_on_map("init", init, signal, keep_channels),
            fixed_spectra=fixed_spectra,
            volume=volume,
            line_width=line_width(signal),
            absent=absent_channels(signal, absent, k, keep_channels),
            refinement=refinement,
            spatial_prior=spatial_prior,
            max_iter=max_iter,
            tol=tol,
            random_state=random_state,
            n_jobs=n_jobs,
        )
    fit_params = {}
    if isinstance(estimator, PSNMF):
        fit_params["navigation_shape"] = map_shape(signal)
        with (
            named(n_components="output_dimension") if estimator is not algorithm else nullcontext()
        ):
            estimator.check_parameters(map_shape(signal), count_channels(signal, keep_channels))

    with open_counts(
        signal,
        keep_pixels=keep_pixels,
        keep_channels=keep_channels,
        counts_per_unit=counts_per_unit,
        max_memory=max_memory,
        by_pixel=isinstance(estimator, PSNMF) and estimator.refinement == "fixed",
        show_progressbar=show_progressbar,
        n_jobs=resolve_n_jobs(estimator.n_jobs),
    ) as X:
        if not X.nnz:
            raise ValueError(f"{NAME} are zero everywhere in the pixels and channels in use")
        check_range(X, NAME)
        chosen = None
        if k is None:
            chosen = _choose_number(signal, estimator, X, keep_channels, show_progressbar)
            estimator.set_params(n_components=chosen.best)
            estimator.check_parameters(map_shape(signal), X.shape[1])
        with progress_of_decomposition(show_progressbar, X) as callback:
            loadings = estimator.fit_transform(X, callback=callback, **fit_params)
        record = make_record(signal, estimator, X, loadings, keep_channels, chosen, counts_per_unit)
        record = replace(record, **make_fingerprint(signal, X, keep_pixels, keep_channels))
    # Before anything is stored, as a warning may be turned into an error.
    for note in () if has_listener() else notes(record, record.phase_names):
        warnings.warn(note, UserWarning, stacklevel=4)
    write_results(signal, loadings, estimator.components_.T, keep_pixels, keep_channels, record)
    if print_info:
        print(summary(record))  # noqa: T201 - as HyperSpy's own decomposition does
    return estimator if return_info else None


def _on_map(name, spectra, signal, keep_channels):
    if spectra is None or isinstance(spectra, str):
        return spectra
    return spectra_on_map(name, spectra, signal, keep_channels)


def _choose_number(signal, estimator, X, keep_channels, show_progressbar):
    fixed = estimator.fixed_spectra
    return choose_number(
        X,
        map_shape(signal),
        channels_per_line(signal, keep_channels),
        # Two more than the fixed spectra must be tried to find a minimum there.
        max_components=max(MAX_COMPONENTS, 0 if fixed is None else len(fixed) + 2),
        fixed_spectra=fixed,
        show_progressbar=show_progressbar,
        rng=random_generator(estimator.random_state),
        n_jobs=resolve_n_jobs(estimator.n_jobs),
    )
