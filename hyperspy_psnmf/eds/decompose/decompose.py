# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.decomposition(algorithm="PSNMF")``: from a signal to its learning results."""

import inspect
import math
import warnings
from contextlib import nullcontext
from dataclasses import replace

from hyperspy_psnmf import estimators
from hyperspy_psnmf.eds.decompose.fixed_spectra import spectra_on_map
from hyperspy_psnmf.eds.decompose.known_phases import KnownPhases, read_known_phases
from hyperspy_psnmf.eds.decompose.masks import read_map_input
from hyperspy_psnmf.eds.decompose.n_phases import MAX_COMPONENTS, choose_number
from hyperspy_psnmf.eds.decompose.notes import notes
from hyperspy_psnmf.eds.decompose.record import make_record
from hyperspy_psnmf.eds.decompose.report import summary
from hyperspy_psnmf.eds.decompose.settings import Settings
from hyperspy_psnmf.eds.decompose.stock_arguments import bind_arguments
from hyperspy_psnmf.eds.images.on_map import images_on_map
from hyperspy_psnmf.eds.lazy.memory import resolve_max_memory
from hyperspy_psnmf.eds.lazy.open_counts import open_counts
from hyperspy_psnmf.eds.lazy.read import NAME, check_any_counts
from hyperspy_psnmf.eds.lines.templates import STEP, NoLineModel, check_line_model, find_templates
from hyperspy_psnmf.eds.signals.axes import binning_in_array_order
from hyperspy_psnmf.eds.signals.learning_results import write_results
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.progress import (
    announced_compilation,
    has_listener,
    progress_of_decomposition,
    with_listener,
)
from hyperspy_psnmf.eds.signals.same_data import make_fingerprint
from hyperspy_psnmf.estimators.psnmf_model import PSNMFModel
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.counts.matrix import check_range, total_counts
from hyperspy_psnmf.nmf.validation import named, random_generator

MODEL_PARAMETERS = frozenset(inspect.signature(PSNMFModel).parameters) - {"n_components"}


def decompose_as_stock(signal, original, args, kwargs):
    """Run PSNMF for a call written for a stock ``decomposition`` method.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    original : callable
        The wrapped function.
    args, kwargs
        What the caller passed. See `Settings` for the meaning.
    """
    passed = bind_arguments(Settings, original, args, kwargs)
    _check_algorithm(passed["algorithm"])
    twice = sorted(passed.keys() & MODEL_PARAMETERS)
    if twice and not isinstance(passed["algorithm"], str):
        raise TypeError(
            f"{', '.join(twice)} must be given to the estimator that is passed as algorithm, "
            "not to decomposition()"
        )
    for name, what in (("spectra", "templates"), ("phases", "fixed_spectra and absent")):
        if name in passed and not isinstance(passed["algorithm"], str):
            raise TypeError(f"{name} must be left out with an estimator, whose {what} it would set")
    settings = Settings(**passed)
    with announced_compilation(settings.print_info):
        return decompose(signal, settings)


def _check_algorithm(algorithm):
    if isinstance(algorithm, str) and algorithm != "PSNMF":
        raise ValueError(f"algorithm must be written 'PSNMF', not {algorithm!r}")
    if isinstance(algorithm, type):
        name = algorithm.__name__
        raise TypeError(f"algorithm must be 'PSNMF' or {name}(n_components), not the class {name}")


def decompose(signal, settings: Settings):
    """Unmix an EDS map into phases and store the learning results.

    Parameters
    ----------
    signal : EDSSpectrum
        A map of counts with 1 to 3 navigation axes, eager or lazy.
    settings : Settings
        The keywords of ``s.decomposition(algorithm="PSNMF")``.

    Returns
    -------
    PSNMF or PoissonNMF or None
        The fitted estimator with ``return_info``.

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
    map_input = read_map_input(
        signal,
        navigation_mask=settings.navigation_mask,
        signal_mask=settings.signal_mask,
        energy_range=settings.energy_range,
        counts_per_unit=settings.counts_per_unit,
    )
    _check_number(settings, map_input)
    known = read_known_phases(signal, map_input, settings)
    estimator = _make_estimator(signal, settings, map_input, known)
    fixed = getattr(estimator, "fixed_spectra", None)
    n_fixed = 0 if fixed is None else len(fixed)
    wants_lines, why_free = _wants_lines(settings, n_fixed), None
    if wants_lines:
        why_free = _why_free(settings, check_line_model, signal, map_input)
    with open_counts(
        signal,
        map_input,
        max_memory=resolve_max_memory(settings.max_memory),
        by_pixel=isinstance(estimator, PSNMFModel) and estimator.refinement == "fixed",
        show_progressbar=settings.show_progressbar,
        n_jobs=resolve_n_jobs(estimator.n_jobs),
    ) as X:
        _check_counts(X)
        if wants_lines and why_free is None:
            why_free = _why_free(settings, _set_templates, signal, map_input, estimator, X)
        loadings, chosen = _fit(estimator, X, map_input, settings)
        record = make_record(map_input, estimator, X, loadings, chosen)
        rows = getattr(estimator, "absent_rows_", None)
        added = known.recorded(record.n_components, rows) | make_fingerprint(signal, X, map_input)
        record = replace(record, why_free=why_free, **added)
    # Before anything is stored, as a warning may be turned into an error.
    for note in () if has_listener() else notes(record, record.phase_names):
        warnings.warn(note, UserWarning, stacklevel=4)
    # A copy, as the user may reverse or edit what is stored.
    factors = estimator.components_.T.copy(order="K")
    write_results(signal, map_input, loadings, factors, record)
    if settings.print_info:
        print(summary(record))  # noqa: T201 - as HyperSpy's own decomposition does
    return estimator if settings.return_info else None


def _make_estimator(signal, settings: Settings, map_input: MapInput, known: KnownPhases):
    """Return the estimator given or made from the settings, after a check that it fits the map.

    One that nobody will see is without scikit-learn, which takes long to import.
    """
    k, estimator = settings.n_phases, settings.algorithm
    if settings.makes_estimator:
        make = estimators.PSNMF if settings.return_info else PSNMFModel
        estimator = make(
            # The least possible number, until it has been estimated.
            k or max(1, 0 if known.fixed is None else len(known.fixed)),
            binning=binning_in_array_order(settings.binning, len(map_input.shape)),
            energy_binning=map_input.resolve_energy_binning(settings.energy_binning, stacklevel=5),
            init=_on_map("init", settings.init, map_input),
            fixed_spectra=known.fixed,
            parsimony=settings.parsimony,
            volume=settings.volume,
            line_width=map_input.line_width,
            absent=known.absent,
            assign_absent=known.are_found if known.earlier is None else known.earlier,
            refinement=settings.refinement,
            smoothing=settings.smoothing,
            guide=_guide_on_map(settings.guide, signal),
            max_iter=settings.max_iter,
            tol=settings.tol,
            random_state=settings.random_state,
            n_jobs=settings.n_jobs,
        )
    if isinstance(estimator, PSNMFModel):
        own_words = named(n_components="output_dimension")
        with own_words if settings.makes_estimator else nullcontext():
            estimator.check_parameters(map_input.shape, map_input.n_channels_in_use)
    return estimator


def _guide_on_map(guide, signal):
    return None if guide is None else images_on_map("guide", guide, signal)


def _wants_lines(settings, n_fixed: int) -> bool:
    """Return whether spectra are to be made of lines, where the map allows it."""
    finds_spectra = settings.makes_estimator and n_fixed != settings.n_phases
    return finds_spectra and settings.spectra != "free" and settings.is_parsimonious


def _why_free(settings, prepare, *args) -> str | None:
    """Prepare spectra made of lines; return why the map does not allow them, or None.

    Raise NoLineModel where they were asked for.
    """
    try:
        prepare(*args)
    except NoLineModel as error:
        if settings.spectra == "lines":
            raise
        return error.reason
    return None


def _set_templates(signal, map_input, estimator, X):
    """Give the templates of the map to the estimator."""
    notify = with_listener(None)
    if notify:
        notify(STEP, 0, math.inf)
    estimator.templates = find_templates(signal, map_input, total_counts(X, axis=0))


def _check_number(settings, map_input):
    k, n_pixels, n_channels = (
        settings.n_phases, map_input.n_pixels_in_use, map_input.n_channels_in_use,
    )  # fmt: skip
    if k is not None and k > min(n_pixels, n_channels):
        of = "" if settings.makes_estimator else ", the n_components of the estimator,"
        raise ValueError(
            f"output_dimension={k}{of} is too large: the map has {n_pixels} pixels and "
            f"{n_channels} channels in use"
        )


def _check_counts(X):
    check_any_counts(X)
    check_range(X, NAME)


def _fit(estimator, X, map_input, settings):
    """Return the loadings, and how the number of phases was chosen or None."""
    chosen = None
    if settings.n_phases is None:
        chosen = _choose_number(estimator, X, map_input, settings.show_progressbar)
        estimator.n_components = chosen.best
        estimator.check_parameters(map_input.shape, X.shape[1])
    shape = {}
    if isinstance(estimator, PSNMFModel):
        shape = {"navigation_shape": map_input.shape, "used_pixels": map_input.keep_pixels}
    with progress_of_decomposition(settings.show_progressbar, X) as callback:
        return estimator.fit_transform(X, callback=callback, **shape), chosen


def _on_map(name, spectra, map_input):
    if spectra is None or isinstance(spectra, str):
        return spectra
    return spectra_on_map(name, spectra, map_input)


def _choose_number(estimator, X, map_input, show_progressbar):
    fixed = estimator.fixed_spectra
    return choose_number(
        X,
        map_input,
        # Two more than the fixed spectra must be tried to find a minimum there.
        max_components=max(MAX_COMPONENTS, 0 if fixed is None else len(fixed) + 2),
        fixed_spectra=fixed,
        templates=estimator.templates,
        show_progressbar=show_progressbar,
        rng=random_generator(estimator.random_state),
        n_jobs=resolve_n_jobs(estimator.n_jobs),
    )
