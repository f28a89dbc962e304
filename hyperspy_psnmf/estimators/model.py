# SPDX-License-Identifier: GPL-3.0-or-later
"""What models of counts have in common, whether scikit-learn's estimators or not."""

import warnings
from numbers import Real
from typing import Any

from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.validation import check_choice, check_int, check_random_state, check_spectra

INITS = ("nndsvdar", "vertex", "random")


class CountModel:
    """A model with parameters to check, and the convergence of its fits."""

    n_components: Any
    init: Any
    max_iter: Any
    tol: Any
    random_state: Any
    n_jobs: Any
    _inits: tuple[str, ...] = INITS

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _check_common(self):
        check_int("max_iter", self.max_iter)
        if isinstance(self.tol, bool) or not isinstance(self.tol, Real) or not self.tol >= 0:
            raise ValueError(f"tol must be a number of at least 0, not {self.tol!r}")
        if isinstance(self.init, str) or self.init is None:
            check_choice("init", self.init, self._inits)
        resolve_n_jobs(self.n_jobs)
        check_random_state(self.random_state)

    def _check_n_components(self, n_rows, n_channels):
        k = check_int("n_components", self.n_components)
        if k > min(n_rows, n_channels):
            raise ValueError(
                f"n_components={k} is more than the data can hold: "
                f"n_samples={n_rows}, n_features={n_channels}"
            )
        return k

    def _check_init(self, n_components, n_channels):
        if isinstance(self.init, str):
            return self.init
        init = check_spectra("init", self.init, n_channels)
        if len(init) != n_components:
            raise ValueError(f"init must have {n_components} spectra, not {len(init)}")
        return init

    def _store_convergence(self, *fits, stacklevel):
        fits = [fit for fit in fits if fit is not None]
        self.n_iter_ = fits[0].n_iter if fits else 0
        self.kkt_residual_ = max((fit.kkt_residual for fit in fits), default=0.0)
        self.converged_ = all(fit.converged for fit in fits)
        if not self.converged_:
            from sklearn.exceptions import ConvergenceWarning  # slow to import

            warnings.warn(
                f"{self._name} did not converge in max_iter={self.max_iter} iterations "
                f"(relative KKT residual {self.kkt_residual_:.1e})",
                ConvergenceWarning,
                stacklevel=stacklevel + 1,
            )
