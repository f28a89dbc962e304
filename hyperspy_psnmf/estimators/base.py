# SPDX-License-Identifier: GPL-3.0-or-later
"""Base class of both estimators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, check_non_negative, validate_data

from hyperspy_psnmf.estimators.model import CountModel
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.counts.matrix import check_count_dtype, check_no_mask, count_matrix
from hyperspy_psnmf.nmf.solver.convex import solve_loadings
from hyperspy_psnmf.nmf.validation import as_floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

DENSE_DENSITY = 0.25  # fraction of non-zero entries; above, a dense array is faster than CSR
Model = TypeVar("Model", bound="PoissonModel")
FORMATS = ("csr", "csc")  # others are converted to the first


class PoissonModel(CountModel, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base class of both estimators: non-negative components and a Poisson likelihood."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags

    def fit(self: Model, X: Any, y: Any = None, **fit_params: Any) -> Model:
        """Fit the model to counts; see `fit_transform`.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            Counts.
        y : ignored
        **fit_params
            Of `fit_transform`.

        Returns
        -------
        self
        """
        self.fit_transform(X, **fit_params)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the most likely loadings of counts, for fixed components.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            Counts.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Loadings, in counts.
        """
        check_is_fitted(self)
        X = self._count(self._validate(X, reset=False))
        return solve_loadings(X, self.components_, n_jobs=resolve_n_jobs(self.n_jobs))

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return the expected counts for loadings.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_components)
            Loadings.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        X = as_floats("X", X)
        if X.ndim != 2 or X.shape[1] != self._n_features_out:
            raise ValueError(f"X must have shape (n, {self._n_features_out}), not {X.shape}")
        return X @ self.components_

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _validate(self, X, *, reset):
        """Return an array or a sparse matrix that may hold counts."""
        if isinstance(X, CountBlocks):  # checked when they were made
            self.n_features_in_ = X.shape[1]
            return X
        check_no_mask(X)
        # scikit-learn looks into numbers and objects; dates and records are neither.
        if getattr(getattr(X, "dtype", None), "kind", "") in ("m", "M", "V"):
            check_count_dtype(X.dtype)
        if sp.issparse(X) and X.format not in FORMATS and X.dtype.kind in "bui":
            # Duplicates are summed on the way, and 8 bits overflow.
            X = X.astype(np.uint64 if X.dtype.kind in "bu" else np.int64)
        X = validate_data(self, X, reset=reset, accept_sparse=FORMATS, dtype="numeric", order=None)
        check_non_negative(X, f"{type(self).__name__} (input X)")
        return X

    def _count(self, X):
        """Return counts as CSR, or as a float array where that is faster."""
        if isinstance(X, CountBlocks):
            return X
        counts = count_matrix(X, n_jobs=resolve_n_jobs(self.n_jobs))
        if not sp.issparse(X) and counts.nnz > DENSE_DENSITY * X.size:
            return np.ascontiguousarray(X, dtype=float)
        return counts
