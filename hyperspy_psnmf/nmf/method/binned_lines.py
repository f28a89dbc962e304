# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 2 of PSNMF with spectra made of X-ray lines and continuum.

2a determines loadings and weights of templates in regions of the map that look alike, with channels
summed in groups, the simplest among those that fit alike; 2b lets spectra deviate from the
templates, channel by channel, as far as that predicts held-out counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.binning.bins import bin_energy, bin_spectra, regions_of_bins, sum_groups
from hyperspy_psnmf.nmf.binning.regions import find_regions, sum_regions
from hyperspy_psnmf.nmf.counts.matrix import total_counts
from hyperspy_psnmf.nmf.lines.channel_groups import group_channels
from hyperspy_psnmf.nmf.lines.channels import choose_weights, spectra_in_channels
from hyperspy_psnmf.nmf.lines.costs import Costs, default_costs
from hyperspy_psnmf.nmf.lines.factorise import factorise_lines
from hyperspy_psnmf.nmf.lines.templates import Templates, common_ratio
from hyperspy_psnmf.nmf.lines.weights import LineSpectra, nearest_sums
from hyperspy_psnmf.nmf.method.binned import (
    BinnedMap,
    BinnedSettings,
    cover_channels,
    find_order,
    find_rows,
    start_spectra,
)
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.solver.one_more import mean_spectrum, one_more
from hyperspy_psnmf.nmf.validation import Callback

# Compared by "auto". What the phases before do not explain finds a rare phase that is pure in no
# bin, as particles smaller than these; random spectra hardly ever led to the best result.
STARTS = ("nndsvdar", "vertex", "residual")
ONE_MORE = {"max_iter": 10, "tol": 1e-3}  # a start need not converge
START_TOL = 1.0  # nats, of `nearest_sums`: a start is a rough spectrum
MAX_EXCLUDED = 0.5  # of a line's counts in excluded channels, above which the line is


def factorise_binned_lines(binned, settings: BinnedSettings, rng, options: dict, notify: Callback):
    """Factorise a binned map with templates; see `factorise_binned`."""
    n_jobs, fixed = options["n_jobs"], settings.fixed
    total = total_counts(binned, axis=0)
    templates = settings.templates.covering(total)
    fit, rows, H_before = _factorise_coarse(binned, templates, settings, rng, options, notify)
    absent = None if rows is None else settings.absent[rows]
    spectra = replace(fit.spectra, templates=templates, fixed=fixed)

    def expect(counts, W):
        """Return the spectra with the detector's response of the sum of some counts."""
        ratio = common_ratio(counts, spectra.B @ W.sum(axis=0))
        corrected = replace(spectra, templates=templates.corrected(ratio))
        return cover_channels(corrected.H, total, len(fixed))

    constraints = {"n_fixed": len(fixed), "frozen": absent, "n_jobs": n_jobs}
    notify("channels", 0, np.inf)
    width = settings.line_width
    weights = choose_weights(binned, fit.W, expect, width=width, rng=rng, **constraints)
    W, H = spectra_in_channels(binned, fit.W, expect(total, fit.W), weights, **constraints)
    return BinnedMap(W, H, fit, None, weights, rows, H_before)


def _factorise_coarse(binned, templates: Templates, settings, rng, options, notify):
    """Step 2a, components in the order of the result; rows of `absent`, and spectra before it."""
    n_jobs = options["n_jobs"]
    coarse = make_coarse(binned, templates, settings, n_jobs)
    fit, *excluded = _factorise_regions(coarse, templates, settings, rng, options, notify)
    if coarse.regions is None:
        return fit, *excluded
    fractions = fit.W / np.maximum(fit.W.sum(axis=1, keepdims=True), TINY)
    W = fractions[coarse.regions] * total_counts(coarse.of_bins, axis=1)[:, None]
    W = solve_loadings(coarse.of_bins, fit.spectra.H, W, n_jobs=n_jobs)
    return replace(fit, W=W), *excluded


@dataclass(frozen=True, eq=False)
class CoarseMap:
    """A binned map as step 2a factorises it: bins that look alike merged, channels summed.

    Attributes
    ----------
    counts : ndarray or csr_array of shape (n_regions, n_coarse_channels)
        With `energy_binning` channels summed.
    of_bins : ndarray or csr_array of shape (n_bins, n_groups)
        Of all bins, in groups of channels.
    first : ndarray of shape (n_groups,)
        First coarse channel of each group.
    regions : ndarray of shape (n_bins,), or None
        Region of each bin; None where they are not merged.
    costs : Costs
        For so many counts in so many regions.
    """

    counts: object
    of_bins: object
    first: np.ndarray
    regions: np.ndarray | None
    costs: Costs

    @property
    def grouped(self):
        """Counts of shape (n_regions, n_groups)."""
        return sum_groups(self.counts, self.first)

    def sum_loadings(self, W: np.ndarray) -> np.ndarray:
        """Return the loadings (n_bins, n_components) summed over regions."""
        return W if self.regions is None else sum_regions(W, self.regions)


def make_coarse(binned, templates: Templates, settings: BinnedSettings, n_jobs) -> CoarseMap:
    """Return the map that step 2a factorises."""
    e = settings.energy_binning
    coarse = bin_energy(binned, e, n_jobs=n_jobs) if e > 1 else binned
    spectra = np.vstack([templates.binned(e).spectra, bin_spectra(settings.fixed, e)])
    first = group_channels(spectra, total_counts(coarse, axis=0))
    grouped = sum_groups(coarse, first)
    n_counts, regions = float(total_counts(grouped).sum()), _find_regions(grouped, settings)
    if regions is None:
        return CoarseMap(coarse, grouped, first, None, default_costs(n_counts))
    merged = sum_regions(coarse, regions)
    return CoarseMap(merged, grouped, first, regions, default_costs(n_counts, merged.shape[0]))


def _find_regions(grouped, settings) -> np.ndarray | None:
    """Return the region of each bin; None where the bins are few, or no whole map."""
    if settings.shape is None:
        return None
    n_counts = float(total_counts(grouped).sum())
    n = regions_of_bins(grouped.shape[0], n_counts, settings.n_components)
    return n and find_regions(grouped, settings.shape, n)


def _factorise_regions(coarse: CoarseMap, templates, settings, rng, options, notify):
    """Factorise regions with channels summed in groups; see `_factorise_coarse`."""
    e, n_jobs = settings.energy_binning, options["n_jobs"]
    starts = _starts(coarse.counts, templates.binned(e), settings, rng, n_jobs)
    starts = ((W, spectra.grouped(coarse.first)) for W, spectra in starts)
    X, n_iter = coarse.grouped, count(1)
    # The residual is computed for the results of fits only.
    options = {**options, "callback": lambda _: notify("binned map", next(n_iter), np.inf)}
    fit = factorise_lines(X, starts, costs=coarse.costs, **options)
    n_fixed = len(settings.fixed)
    whole = replace(fit.spectra, templates=templates, fixed=settings.fixed)
    order = find_order(fit.W, whole.H, settings)
    free = order[n_fixed:] - n_fixed
    spectra = replace(fit.spectra, weights=fit.spectra.weights[free])
    fit = replace(fit, W=fit.W[:, order], spectra=spectra)
    if settings.absent is None:
        return fit, None, None
    allowed = allowed_templates(templates, settings.absent[n_fixed:])
    rows = find_rows(settings, lambda: spectra.weights @ ~allowed.T)
    allowed = allowed[rows[n_fixed:] - n_fixed]
    spectra = replace(spectra, allowed=allowed).with_weights(spectra.weights)
    again = factorise_lines(X, [(fit.W, spectra)], costs=coarse.costs, **options)
    return replace(again, n_iter=fit.n_iter + again.n_iter), rows, whole.H[order]


def _starts(coarse, templates, settings, rng, n_jobs) -> Iterator[tuple[np.ndarray, LineSpectra]]:
    """Yield loadings and spectra to start from."""
    n_fixed = len(settings.fixed)
    allowed = np.ones((settings.n_components - n_fixed, len(templates)), dtype=bool)
    fixed = bin_spectra(settings.fixed, settings.energy_binning)
    automatic = isinstance(settings.init, str) and settings.init == "auto"
    for init in STARTS if automatic else (settings.init,):
        if isinstance(init, str) and init == "residual":
            H = _one_by_one(coarse, fixed, settings.n_components, rng, n_jobs)[n_fixed:]
        else:
            H = start_spectra(coarse, settings, init, rng)[n_fixed:]
        found = nearest_sums(H, templates, allowed, tol=START_TOL)
        found = replace(found, fixed=fixed)
        yield solve_loadings(coarse, found.H, n_jobs=n_jobs), found


def _one_by_one(coarse, fixed, n_components, rng, n_jobs) -> np.ndarray:
    """Return spectra of which each is what those before it do not explain."""
    H = fixed if len(fixed) else mean_spectrum(coarse)[None]
    W = solve_loadings(coarse, H, n_jobs=n_jobs)
    for _ in range(n_components - len(H)):
        options = {"n_fixed": len(fixed), "rng": rng, "n_jobs": n_jobs}
        W, H = one_more(coarse, W, H, **options, **ONE_MORE)
    return H


def allowed_templates(templates, absent) -> np.ndarray:
    """Return which templates a component may have, given the channels excluded from it."""
    allowed = np.ones((len(absent), len(templates)), dtype=bool)
    excluded = absent.astype(float) @ templates.lines.T
    allowed[:, : len(templates.lines)] = excluded < MAX_EXCLUDED
    return allowed
