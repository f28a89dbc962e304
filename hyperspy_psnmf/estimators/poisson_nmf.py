# SPDX-License-Identifier: GPL-3.0-or-later
"""Poisson NMF of a matrix as an estimator."""

from typing import Any

import numpy as np

from hyperspy_psnmf.estimators.base import PoissonModel
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.counts.blocks import divergence
from hyperspy_psnmf.nmf.counts.matrix import check_range
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.solver.initialise import initial_spectra
from hyperspy_psnmf.nmf.validation import Callback, check_callback, check_weight, random_generator


class PoissonNMF(PoissonModel):
    r"""Non-negative matrix factorisation of counts by maximum likelihood.

    Minimises :math:`D = \sum x \log(x / \mu) - x + \mu` with
    :math:`\mu = W H`, rows of H of unit sum, to convergence (see `tol`).

    Parameters
    ----------
    n_components : int
        Number of components.
    init : {"nndsvdar", "vertex", "random"} or ndarray of shape (n_components, n_features)
        Components to start from.
    volume : float
        Weight of a penalty on the volume that components span (minimum-volume NMF). Among
        models of the same likelihood it prefers the smallest; 0 is maximum likelihood.
    max_iter : int
        Alternations at most.
    tol : float
        Relative KKT residual at which to stop: the decrease of D, in nats per
        count, that loadings or components could still bring with the other fixed.
    random_state : int, Generator, RandomState or None
        Seed of the start.
    n_jobs : int or None
        Threads; None is all cores. The result does not depend on it.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Components of unit sum, in decreasing order of counts.
    n_iter_ : int
        Alternations done.
    reconstruction_err_ : float
        Kullback-Leibler divergence summed over all entries, in nats.
    kkt_residual_ : float
        Relative KKT residual reached.
    converged_ : bool
        Whether it converged; there is a warning otherwise.

    See Also
    --------
    PSNMF : the same for maps with few counts per pixel.

    References
    ----------
    C.-J. Hsieh, I. S. Dhillon, KDD 2011, 1064. https://doi.org/10.1145/2020408.2020577

    P. Carbonetto et al., 2021, https://arxiv.org/abs/2105.13440

    Examples
    --------
    >>> import numpy as np
    >>> from hyperspy_psnmf import PoissonNMF
    >>> rng = np.random.default_rng(1)
    >>> X = rng.poisson(rng.gamma(1, size=(40, 2)) @ rng.gamma(1, size=(2, 30)) * 20)
    >>> model = PoissonNMF(2)
    >>> loadings = model.fit_transform(X)
    >>> loadings.shape, model.components_.shape
    ((40, 2), (2, 30))
    """

    def __init__(
        self,
        n_components: int,
        *,
        init: str | np.ndarray = "nndsvdar",
        volume: float = 0,
        max_iter: int = 500,
        tol: float = 1e-5,
        random_state: Any = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.init = init
        self.volume = volume
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit_transform(
        self, X: Any, y: Any = None, *, callback: Callback | None = None
    ) -> np.ndarray:
        """Fit the model and return the loadings.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            Counts: non-negative integers or floats.
        y : ignored
        callback : callable, optional
            Called with the name of the step, the iteration and its KKT residual.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Loadings, in counts.
        """
        check_callback(callback)
        X = self._validate(X, reset=True)
        self._check_common()
        check_weight("volume", self.volume)
        k = self._check_n_components(*X.shape)
        X = self._count(X)
        check_range(X)
        init, n_jobs = self._check_init(k, X.shape[1]), resolve_n_jobs(self.n_jobs)
        H = initial_spectra(X, k, init, random_generator(self.random_state))
        report: Any = callback
        notify = report and (lambda n, _, residual: report("factorise", n, residual))
        options: dict[str, Any] = {
            "volume": self.volume,
            "max_iter": self.max_iter,
            "tol": self.tol,
        }
        fit = poisson_nmf(X, H, n_jobs=n_jobs, callback=notify, **options)
        W = solve_loadings(X, fit.H, fit.W, n_jobs=n_jobs)
        order = np.argsort(-W.sum(axis=0), kind="stable")
        W, H = W[:, order], np.ascontiguousarray(fit.H[order])
        # Nothing that can fail comes after the first attribute.
        self.reconstruction_err_ = divergence(X, W, H.T, n_jobs=n_jobs)
        self.components_ = H
        self._store_convergence(fit, stacklevel=3)
        return W
