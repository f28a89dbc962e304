# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF of a map with its parameters, without scikit-learn, which is slow to import."""

from typing import Any

import numpy as np

from hyperspy_psnmf.estimators import checks
from hyperspy_psnmf.estimators.choose_binning import choose_binning
from hyperspy_psnmf.estimators.model import INITS, CountModel
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.binning.bins import PixelBins
from hyperspy_psnmf.nmf.counts.matrix import check_range
from hyperspy_psnmf.nmf.lines.templates import Templates
from hyperspy_psnmf.nmf.method.binned import BinnedSettings
from hyperspy_psnmf.nmf.method.psnmf import psnmf
from hyperspy_psnmf.nmf.validation import Callback, check_choice, check_int, random_generator

REFINEMENTS = ("fixed", "joint")


class PSNMFModel(CountModel):
    """The model that `PSNMF` makes an estimator of, with the same parameters and attributes.

    It takes counts as `count_matrix` makes them, without looking for wrong ones.
    """

    _name = "PSNMF"
    _inits = ("auto", *INITS)

    def __init__(
        self,
        n_components: int,
        *,
        navigation_shape: tuple[int, ...] | None = None,
        binning: str | int | tuple[int, ...] = "auto",
        energy_binning: int = 1,
        init: str | np.ndarray = "auto",
        fixed_spectra: np.ndarray | None = None,
        parsimony: bool | None = None,
        volume: float | None = None,
        line_width: int = 1,
        absent: np.ndarray | None = None,
        assign_absent: bool | np.ndarray = False,
        templates: np.ndarray | Templates | None = None,
        refinement: str = "fixed",
        smoothing: bool | float = True,
        guide: np.ndarray | None = None,
        max_iter: int = 500,
        tol: float = 1e-5,
        random_state: Any = 0,
        n_jobs: int | None = None,
        spatial_prior: Any = "deprecated",
    ) -> None:
        self.n_components = n_components
        self.navigation_shape = navigation_shape
        self.binning = binning
        self.energy_binning = energy_binning
        self.init = init
        self.fixed_spectra = fixed_spectra
        self.parsimony = parsimony
        self.volume = volume
        self.line_width = line_width
        self.absent = absent
        self.assign_absent = assign_absent
        self.templates = templates
        self.refinement = refinement
        self.smoothing = smoothing
        self.guide = guide
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.spatial_prior = spatial_prior

    def fit_transform(
        self,
        X: Any,
        *,
        navigation_shape: tuple[int, ...],
        used_pixels: Any = None,
        callback: Callback | None = None,
    ) -> np.ndarray:
        """Fit the model and return the loadings.

        Parameters
        ----------
        X : csr_array or CountBlocks of shape (n_pixels, n_channels)
            Counts.
        navigation_shape : tuple of int
            Shape of the map, in array order, for which parameters have been checked.
        used_pixels, callback
            As in `PSNMF.fit_transform`.

        Returns
        -------
        ndarray of shape (n_pixels, n_components)
            Loadings in counts.
        """
        shape = navigation_shape
        check_range(X)
        used = checks.check_used_pixels(used_pixels, shape, X)
        k, settings = self.n_components, self._settings(self.n_components, X.shape[1])
        choice = choose_binning(self, X, shape, settings.fixed, callback)
        bins, n_jobs = PixelBins(shape, choice.binning), resolve_n_jobs(self.n_jobs)
        options = {"max_iter": self.max_iter, "tol": self.tol, "n_jobs": n_jobs}
        rng = random_generator(self.random_state)
        weight = checks.check_smoothing(self.smoothing, self.spatial_prior)
        found = psnmf(
            X, bins, settings, rng, options,
            refinement=self.refinement,
            smoothing=weight,
            used=used,
            images=checks.check_guide(self.guide, shape, weight),
            callback=callback,
        )  # fmt: skip
        self.components_ = np.ascontiguousarray(found.H)
        self.binning_choice_, self.binning_ = choice, bins.binning
        self.binned_loadings_ = found.binned_W.reshape(*found.binned_shape, k)
        simpler, none = found.simplification, np.zeros((k, k))
        self.added_: np.ndarray = simpler.added if simpler else none
        self.removed_: np.ndarray = simpler.removed if simpler else none
        self.volume_, self.smoothing_ = settings.volume, weight
        self.n_averaged_, self.guide_shifts_ = found.n_averaged, found.shifts
        self.template_weights_ = found.template_weights
        self.prior_weights_, self.absent_rows_ = found.prior_weights, found.absent_rows
        self.components_before_absent_ = found.H_before
        self.reconstruction_err_ = found.divergence
        self._store_convergence(found.binned_fit, found.joint_fit, stacklevel=4)
        return found.W

    def _settings(self, k, n_channels):
        init = self._check_init(k, n_channels)
        fixed = checks.check_fixed(self.fixed_spectra, k, n_channels)
        absent = checks.check_absent(self.absent, len(fixed), k, n_channels)
        volume = checks.check_volume(self.parsimony, self.volume)
        templates = checks.check_templates(self.templates, n_channels, self.volume, volume)
        energy, width = self.energy_binning, self.line_width
        assign = checks.check_assign_absent(self.assign_absent, k, n_channels)
        assigns, like = (assign, None) if isinstance(assign, bool) else (False, assign)
        return BinnedSettings(
            k, fixed, energy, init, volume, width, absent, assigns, like, templates
        )

    def check_parameters(self, navigation_shape: tuple[int, ...], n_channels: int) -> None:
        """Raise TypeError or ValueError where a parameter does not fit a map.

        Parameters
        ----------
        navigation_shape : tuple of int
            Shape of the map, in array order.
        n_channels : int
            Number of channels.
        """
        self._check_common()
        check_choice("refinement", self.refinement, REFINEMENTS)
        check_int("line_width", self.line_width)
        weight = checks.check_smoothing(self.smoothing, self.spatial_prior)
        checks.check_guide(self.guide, navigation_shape, weight)
        k = self._check_n_components(int(np.prod(navigation_shape)), n_channels)
        self._settings(k, n_channels)
        checks.check_binning(self.binning, navigation_shape, k)
        checks.check_energy_binning(self.energy_binning, n_channels, k)
