# SPDX-License-Identifier: GPL-3.0-or-later
"""Number of phases that the counts support, before a decomposition or as a part of it.

Estimated by the held-out deviance on coarse bins of pixels and of channels; see
`nmf.selection.n_components`.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from prettytable import PrettyTable

from hyperspy_psnmf.eds.decompose.fixed_spectra import spectra_on_map
from hyperspy_psnmf.eds.decompose.notes import note_on_counts, why_not_counts
from hyperspy_psnmf.eds.decompose.report import phases, why_number
from hyperspy_psnmf.eds.decompose.settings import SPECTRA
from hyperspy_psnmf.eds.lazy.memory import resolve_max_memory
from hyperspy_psnmf.eds.lazy.not_counts import judge_values
from hyperspy_psnmf.eds.lazy.open_counts import open_counts
from hyperspy_psnmf.eds.lazy.read import NAME, check_any_counts
from hyperspy_psnmf.eds.lines.templates import NoLineModel, check_line_model, find_templates
from hyperspy_psnmf.eds.signals.axes import channels_within
from hyperspy_psnmf.eds.signals.map_input import MapInput
from hyperspy_psnmf.eds.signals.progress import progress_bar, with_listener
from hyperspy_psnmf.eds.xray.detector import LINE_CHANNEL
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.binning.bins import bin_spectra, spatial_axes, sum_groups
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.held_out.count_splitting import Comparison, check_whole
from hyperspy_psnmf.nmf.lines.channel_groups import group_channels
from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.selection.n_components import choose_n_components, coarse_counts
from hyperspy_psnmf.nmf.validation import check_choice, check_int, random_generator

MAX_COMPONENTS = 8
STEP = "number of phases"  # for listeners
USUAL_CHANNEL = 0.01  # keV, where the energy axis has no unit


@dataclass(frozen=True, eq=False)
class NumberOfComponents:
    """Numbers of phases and their held-out deviances.

    Attributes
    ----------
    best : int
        The smallest number within one standard error of the minimum: the estimate.
    minimum : int
        The number with the smallest held-out deviance.
    numbers : tuple of int
        All numbers tried.
    deviances : ndarray of shape (n_numbers, n_folds)
        Held-out Poisson deviance of each fold of the counts.
    differences, standard_errors : ndarray of shape (n_numbers,)
        Mean deviance less that of `minimum`, and the standard error of this difference.
    is_limited : bool
        Whether `best` is the largest number that was allowed, so that there may be more.
    """

    best: int
    minimum: int
    numbers: tuple[int, ...]
    deviances: np.ndarray
    differences: np.ndarray
    standard_errors: np.ndarray
    is_limited: bool

    def table(self) -> PrettyTable:
        """Return the held-out deviance of every number, and the choice."""
        table = PrettyTable()
        table.title = "Number of phases by held-out deviance"
        table.field_names = ["Phases", "Deviance", "Above minimum", "Standard error", "Choice"]
        table.align = "r"
        table.align["Choice"] = "l"
        rows = zip(
            self.numbers,
            self.deviances.mean(axis=1),
            self.differences,
            self.standard_errors,
            strict=True,
        )
        for n, deviance, above, error in rows:
            words = [w for w, m in (("best", self.best), ("minimum", self.minimum)) if m == n]
            row = (f"{value:.1f}" for value in (deviance, above, error))
            table.add_row([n, *row, ", ".join(words)])
        return table

    def reason(self) -> str:
        """Return why `best` was chosen, in words."""
        i = self.numbers.index(self.best)
        return why_number(
            self.best, self.minimum, float(self.differences[i]), float(self.standard_errors[i])
        )

    def __repr__(self):
        return str(self.table())


def estimate_number(
    signal,
    map_input: MapInput,
    *,
    max_components=MAX_COMPONENTS,
    fixed_spectra=None,
    spectra="auto",
    n_folds=10,
    show_progressbar=None,
    random_state=0,
    n_jobs=None,
) -> NumberOfComponents:
    """Return the number of phases that the counts of a map support; see the accessor."""
    check_int("max_components", max_components)
    check_int("n_folds", n_folds, minimum=2)
    check_choice("spectra", spectra, SPECTRA)
    if fixed_spectra is not None:
        fixed_spectra = spectra_on_map("fixed_spectra", fixed_spectra, map_input)
        check_int("max_components", max_components, minimum=len(fixed_spectra))
    rng, n_jobs = random_generator(random_state), resolve_n_jobs(n_jobs)
    memory = {"max_memory": resolve_max_memory("auto"), "show_progressbar": show_progressbar}
    with open_counts(signal, map_input, **memory, n_jobs=n_jobs) as X:
        if X.nnz and not (values := judge_values(X)).are_counts:
            # Before the error of check_whole, which suggests no scale.
            warnings.warn(
                note_on_counts(values, map_input.counts_per_unit), UserWarning, stacklevel=3
            )
        _check_counts(X)
        return choose_number(
            X,
            map_input,
            max_components=max_components,
            fixed_spectra=fixed_spectra,
            templates=_templates(signal, map_input, X, spectra),
            n_folds=n_folds,
            show_progressbar=show_progressbar,
            rng=rng,
            n_jobs=n_jobs,
        )


def _templates(signal, map_input, X, spectra) -> Templates | None:
    """Return the templates of the map; None where spectra are free, as in a decomposition."""
    if spectra == "free":
        return None
    try:
        check_line_model(signal, map_input)
        return find_templates(signal, map_input, total_counts(X, axis=0))
    except NoLineModel:
        if spectra == "lines":
            raise
        return None


def choose_number(
    X,
    map_input: MapInput,
    *,
    max_components=MAX_COMPONENTS,
    fixed_spectra=None,
    templates: Templates | None = None,
    n_folds=10,
    show_progressbar=None,
    rng=None,
    n_jobs=None,
) -> NumberOfComponents:
    """Compare numbers of components on the coarse bins of a map.

    Parameters
    ----------
    X : csr_array or CountBlocks of shape (n_pixels, n_channels)
        Counts, one row per pixel in C order of the map.
    map_input : MapInput
        Of the map.
    max_components, fixed_spectra, n_folds, rng, n_jobs
        As for `choose_n_components`; the spectra at full energy.
    templates : Templates, optional
        Of the map, at full energy; free spectra are made of them.
    show_progressbar : bool, optional
        None is HyperSpy's preference.

    Raises
    ------
    ValueError
        If X does not hold whole numbers, or nothing but zeros.
    """
    _check_counts(X)
    coarse, fixed_spectra, templates = _coarse(X, map_input, fixed_spectra, templates, n_jobs)
    with progress_bar(show_progressbar, desc="Number of phases", unit=" fits") as bar:
        found = choose_n_components(
            coarse,
            max_components=max_components,
            fixed_spectra=fixed_spectra,
            templates=templates,
            n_folds=n_folds,
            rng=rng,
            n_jobs=n_jobs,
            callback=_callback(bar, n_folds),
        )
    return _result(found, max_components)


def _coarse(X, map_input, fixed, templates, n_jobs):
    """Return counts in coarse bins, and fixed spectra and templates on their channels."""
    width = channels_per_line(map_input)
    if templates is not None:
        width = map_input.resolve_energy_binning("auto")
    spatial = spatial_axes(len(map_input.shape))
    options = {"energy_binning": width, "n_jobs": n_jobs}
    coarse = coarse_counts(X, map_input.shape, spatial, **options)
    fixed = None if fixed is None else bin_spectra(fixed, width)
    if templates is not None:
        total = total_counts(coarse, axis=0)
        templates = templates.binned(width).covering(total)
        spectra = templates.spectra if fixed is None else np.vstack([templates.spectra, fixed])
        first = group_channels(spectra, total)
        coarse, templates = sum_groups(coarse, first), templates.grouped(first)
        fixed = None if fixed is None else sum_groups(fixed, first)
    if fixed is not None:
        fixed = fixed / fixed.sum(axis=1, keepdims=True)
    return coarse, fixed, templates


def _check_counts(X):
    """Raise ValueError where there are none."""
    _check_whole(X)
    check_any_counts(X)


def _check_whole(X):
    try:
        check_whole(X, NAME)
    except ValueError as error:
        values = judge_values(X)
        reason = "some are no whole numbers" if values.are_counts else why_not_counts(values)
        raise ValueError(f"{error}. In these data, {reason}; see counts_per_unit") from None


def channels_per_line(map_input: MapInput) -> int:
    """Return channels per bin of about 160 eV, as long as 32 bins remain."""
    channel = USUAL_CHANNEL if map_input.energy is None else map_input.channel_width
    return channels_within(LINE_CHANNEL, channel, map_input.n_channels_in_use)


def _callback(bar, n_folds):
    """Return a callback for the progress bar and the listener, or None."""

    def show(step, fit, residual):
        bar.set_postfix_str(phases(1 + (fit - 1) // n_folds), refresh=False)
        bar.update()

    report = with_listener(None if bar is None else show)
    if report is None:
        return None
    return lambda k, fold, deviance: report(STEP, (k - 1) * n_folds + fold + 1, np.inf)


def _result(found: Comparison, max_components) -> NumberOfComponents:
    best = found.simplest()
    return NumberOfComponents(
        best,
        found.best,
        found.names,
        found.deviances,
        found.differences.mean(axis=1),
        found.standard_errors,
        best == max_components,
    )
