# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidence bands of spectra and counts: rotational ambiguity and sampling noise.

`profile_likelihood` finds the factorisations on counts binned in energy too. Here their
spectra are determined at full energy, by the convex problem for fixed loadings,
with the standard errors given those loadings. Spectra made of templates need no such problem:
their weights are the same at full energy, and have far smaller errors than free channels.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from hyperspy_psnmf.nmf.binning.bins import spread_spectra
from hyperspy_psnmf.nmf.lines.weights import LineSpectra, weights_information
from hyperspy_psnmf.nmf.solver.convex import solve_loadings, solve_spectra
from hyperspy_psnmf.nmf.solver.fisher import information, invert_free
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import Solution

CONVERGED = 1e-3  # relative; smaller differences are convergence errors
# Relative, of the information on weights: the splines of the continuum are nearly dependent, and
# some weights have next to no counts.
RIDGE, LEAST_INFORMATION = 1e-9, 1e-12


@dataclass(frozen=True, eq=False)
class Alternatives:
    """Factorisations that a likelihood-ratio test does not distinguish; the first is the best.

    Attributes
    ----------
    counts : ndarray of shape (n_alternatives, n_components)
        Counts of each component.
    spectra : ndarray of shape (n_alternatives, n_components, n_channels)
        Of unit sum.
    errors : ndarray of shape (n_alternatives, n_components, n_channels)
        Standard errors of the spectra, given the loadings.
    """

    counts: np.ndarray
    spectra: np.ndarray
    errors: np.ndarray

    def counts_band(self, confidence: float) -> np.ndarray:
        """Return lowest and highest counts, of shape (n_components, 2)."""
        noise = ndtri((1 + confidence) / 2) * np.sqrt(self.counts)
        return _envelope(self.counts - noise, self.counts + noise)

    def spectra_band(self, confidence: float) -> np.ndarray:
        """Return lowest and highest spectra, of shape (n_components, n_channels, 2)."""
        noise = ndtri((1 + confidence) / 2) * self.errors
        return _envelope(self.spectra - noise, self.spectra + noise)


def _envelope(low, high):
    return np.stack([np.maximum(low.min(axis=0), 0.0), high.max(axis=0)], axis=-1)


def alternatives(
    X,
    H: np.ndarray,
    solutions: list[Solution],
    energy_binning: int,
    *,
    n_fixed: int = 0,
    n_jobs: int | None = 1,
) -> Alternatives:
    """Return the factorisation found, and those as likely, at full energy.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Counts of the map binned in space.
    H : ndarray of shape (n_components, n_channels)
        Spectra found, of unit sum.
    solutions : list of Solution
        From `equally_likely`, on channels summed by `energy_binning`.
    energy_binning : int
        Channels summed there.
    n_fixed : int
        The first `n_fixed` spectra are fixed.
    n_jobs : int or None
        Threads; None is all cores.
    """
    pairs = [(solve_loadings(X, H, n_jobs=n_jobs), H)]
    for solution in _extreme(solutions):
        start = spread_spectra(solution.H, energy_binning, H.shape[1])
        start[:n_fixed] = H[:n_fixed]
        pairs.append(solve_spectra(X, solution.W, start, n_fixed=n_fixed, n_jobs=n_jobs))
    return Alternatives(
        np.array([W.sum(axis=0) for W, _ in pairs]),
        np.array([H for _, H in pairs]),
        np.array([sampling_errors(W, H, n_fixed=n_fixed) for W, H in pairs]),
    )


def alternatives_of_lines(
    H: np.ndarray, result: Solution, solutions: list[Solution], spectra: LineSpectra
) -> Alternatives:
    """Return the same for spectra made of templates.

    Parameters
    ----------
    H : ndarray of shape (n_components, n_channels)
        Spectra found, of unit sum, which may deviate from their sums of templates.
    result : Solution
        The factorisation found.
    solutions : list of Solution
        From `equally_likely`.
    spectra : LineSpectra
        Templates and fixed spectra at full energy.
    """
    chosen = [result, *_extreme(solutions)]
    at_full_energy = [replace(spectra, weights=each.spectra.weights) for each in chosen]
    errors = [
        errors_of_lines(each.W, of_lines)
        for each, of_lines in zip(chosen, at_full_energy, strict=True)
    ]
    return Alternatives(
        np.array([each.W.sum(axis=0) for each in chosen]),
        np.array([H, *(of_lines.H for of_lines in at_full_energy[1:])]),
        np.array(errors),
    )


def _extreme(solutions):
    """Return the solutions at the limits of any band: the others would not widen it."""
    values = np.array([np.hstack(list(_in_bands(s))) for s in solutions])
    differs = np.ptp(values, axis=0) > CONVERGED * values.max(axis=0)
    extreme = np.hstack([values.argmin(axis=0)[differs], values.argmax(axis=0)[differs]])
    return [solutions[i] for i in np.unique(np.append(extreme, 0))]


def _in_bands(solution):
    yield solution.W.sum(axis=0)
    yield solution.H.ravel()
    if solution.spectra is not None:
        yield solution.spectra.weights.ravel()


def sampling_errors(W, H, *, n_fixed: int = 0) -> np.ndarray:
    """Return the standard errors of spectra, given the loadings.

    Parameters
    ----------
    W, H, n_fixed :
        See `sampling_covariance`.

    Returns
    -------
    ndarray of shape (n_components, n_channels)
        1 for a component without counts: its spectrum is not determined at all.
    """
    variances = np.einsum("jkk->kj", sampling_covariance(W, H, n_fixed=n_fixed))
    determined = W.any(axis=0)[:, None] | (np.arange(len(H)) < n_fixed)[:, None]
    return np.sqrt(np.where(determined, np.clip(variances, 0.0, 1.0), 1.0))


def sampling_covariance(W, H, *, n_fixed: int = 0) -> np.ndarray:
    r"""Return the covariance of the spectra of components in each channel, given the loadings.

    From the expected information of each channel, :math:`W^T diag(1/\mu) W`; with
    half a count more than expected in each channel, so that the error of a channel
    with zero expected counts is not zero.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts.
    H : ndarray of shape (n_components, n_channels)
        Spectra of unit sum; those of the first `n_fixed` have no error.
    n_fixed : int
        Number of fixed spectra.

    Returns
    -------
    ndarray of shape (n_channels, n_components, n_components)
    """
    free = np.broadcast_to(np.arange(len(H)) >= n_fixed, H.T.shape)
    # Half a count, divided between components, and in proportion to W between rows.
    return invert_free(information(H.T + 0.5 / max(W.sum(), 1.0), W), free)


def errors_of_lines(W: np.ndarray, spectra: LineSpectra) -> np.ndarray:
    """Return the standard errors of spectra made of templates, given the loadings.

    From the expected information on all weights that are not zero by constraint.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_components)
        Loadings in counts.
    spectra : LineSpectra
        Fixed spectra have no errors.

    Returns
    -------
    ndarray of shape (n_components, n_channels)
    """
    allowed = spectra.allowed.ravel()
    information = weights_information(W, spectra, spectra.allowed)
    diagonal = np.diag(information)
    scale = np.sqrt(np.maximum(diagonal, LEAST_INFORMATION * max(diagonal.max(), 1.0)))
    scaled = information / np.outer(scale, scale) + RIDGE * np.eye(len(scale))
    covariance = np.zeros((allowed.size,) * 2)
    covariance[np.ix_(allowed, allowed)] = np.linalg.inv(scaled) / np.outer(scale, scale)
    per_spectrum = np.einsum("csct->cst", covariance.reshape(spectra.allowed.shape * 2))
    G = spectra.templates.spectra
    variances = np.einsum("cst,sj,tj->cj", per_spectrum, G, G, optimize=True)
    # No error of a fraction is above 1: that of a spectrum that no count depends on.
    errors = np.sqrt(np.clip(variances, 0.0, 1.0))
    return np.vstack([np.zeros((spectra.n_fixed, G.shape[1])), errors])
