# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF of a map as an estimator."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.estimators.base import PoissonModel
from hyperspy_psnmf.estimators.checks import check_shape
from hyperspy_psnmf.estimators.psnmf_model import PSNMFModel
from hyperspy_psnmf.kernels.parallel import resolve_n_jobs
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.counts.matrix import check_no_mask, count_matrix
from hyperspy_psnmf.nmf.validation import Callback, as_array, check_callback


class PSNMF(PSNMFModel, PoissonModel):
    """NMF-based pan-sharpening of a map of counts.

    The binned map is factorised for spectra; with these, loadings are determined in every pixel.

    Parameters
    ----------
    n_components : int
        Number of components, the fixed ones included.
    navigation_shape : tuple of int, optional
        Shape of the map in array order, (ny, nx), where X is 2-D. By default all axes of X
        but the last, so that a 2-D X is a line scan.
    binning : "auto", int or tuple of int
        Pixels summed along each axis of the map, in array order. An int bins the last two
        axes, but for one of a single pixel. "auto": the power of two with which the median pixel
        is nearest to 4000 counts per bin, as long as ``max(64, 16 n_components)`` bins remain (with
        templates 256, or many small ones to merge), and no more than there are along an axis;
        halved where that predicts held-out counts better, if whole.
    energy_binning : int
        Channels summed while the loadings of the binned map are determined.
        Components have all channels.
    init : {"auto", "nndsvdar", "vertex", "random"} or ndarray (n_components, n_channels)
        Components to start from. "auto" tries each and continues with the most likely.
    fixed_spectra : ndarray of shape (n_fixed, n_channels), optional
        Fixed components; they come first in the result.
    parsimony : bool, optional
        Take the simplest of the factorisations of the binned map that fit equally well (rotational
        ambiguity): loadings that are not significant are zero, a component in constant ratio to
        another is merged into it, and one that overlaps it in varying ratios is subtracted. By
        default True, unless `volume` is given; False without it is maximum likelihood.
    volume : float, optional
        Without `templates`, weight of a penalty on the volume of components, in place of
        parsimony; 0 is maximum likelihood.
    line_width : int
        For parsimony: structures of more channels than that are background. 1 where there is no
        background.
    absent : ndarray of bool of shape (n_components, n_channels), optional
        Channels where a component has background only.
    assign_absent : bool or ndarray of shape (n_components, n_channels)
        Which component each row of `absent` is of, after those of fixed ones. Spectra, as the
        `components_` of an earlier result (`components_before_absent_` where that had `absent`):
        the component most like the spectrum of that row before any channel is excluded. False:
        components by decreasing counts in the binned map then.
        True: the component that has the smallest fraction of its counts there above the background.
    templates : ndarray of shape (n_templates, n_channels) or Templates, optional
        Spectra of which the components are made, whose channels are free without; few components
        per pixel and few elements per component are preferred. `Templates` have the elements.
    refinement : {"fixed", "joint"}
        Whether the spectra are fixed in the factorisation at full resolution, a convex
        problem, or updated too, as published.
    smoothing : bool or float
        Adaptive smoothing of the loadings at full resolution, not across edges: weight of
        neighbouring pixels that agree within errors, relative to the pixel. True is 1, False 0.
    guide : ndarray of the map's shape or (n_images, ...), optional
        Images of the same area, used where loadings vary with them around a pixel.
    max_iter, tol, random_state, n_jobs
        As in `PoissonNMF`.
    spatial_prior : "deprecated"
        Old name of `smoothing`, until version 0.3.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_channels)
        Components of unit sum: fixed ones, then in decreasing order of counts, or in that of the
        rows of `absent` unless `assign_absent` is True.
    binning_ : tuple of int
        The binning used, in array order.
    binning_choice_ : BinningChoice
        Which binnings were compared.
    binned_loadings_ : ndarray of shape (..., n_components)
        Loadings of the binned map, in counts; its axes come first.
    added_, removed_ : ndarray of shape (n_components, n_components)
        In row a, column b the counts of b merged into a, per count of a, and the fraction
        of b subtracted from a, negative where it was added back. Zero without parsimony.
    absent_rows_ : ndarray of int of shape (n_components,) or None
        Row of `absent` of each component.
    components_before_absent_ : ndarray of shape (n_components, n_channels) or None
        Components before channels were excluded by `absent`; those summed have the same values.
    volume_, smoothing_ : float
        The weights used; `volume_` is None where parsimony has selected.
    n_averaged_ : ndarray of shape (n_pixels,)
        Effective number of pixels averaged in each pixel's loadings by the smoothing.
    guide_shifts_ : tuple of tuple of int
        Pixels along each axis of the map by which each image of `guide` should be moved.
    template_weights_ : ndarray of shape (n_components - n_fixed, n_templates) or None
        Fraction of the counts of each free component in each template.
    prior_weights_ : ndarray of shape (n_channels,) or None
        Weight of such sums as a prior of the components, per count; infinite for exact sums.
    n_iter_ : int
        Iterations of all fits to the binned map; `max_iter` is for each.
    kkt_residual_, converged_
        Convergence of all steps: the larger residual.
    reconstruction_err_ : float
        Kullback-Leibler divergence at full resolution, in nats, before smoothing. With
        ``refinement="joint"`` it is of spectra that are not the ones kept.

    See Also
    --------
    PoissonNMF : for a matrix whose rows have no neighbours.

    References
    ----------
    H. Chen, D. T. L. Alexander, C. Hébert, Nano Letters 24 (2024) 10177.
    https://doi.org/10.1021/acs.nanolett.4c02446

    Examples
    --------
    >>> import numpy as np
    >>> from hyperspy_psnmf import PSNMF
    >>> rng = np.random.default_rng(1)
    >>> cube = rng.poisson(2.0, size=(12, 10, 30))
    >>> PSNMF(2, binning=2).fit_transform(cube).shape
    (120, 2)
    """

    def fit_transform(
        self,
        X: Any,
        y: Any = None,
        *,
        navigation_shape: Any = None,
        used_pixels: Any = None,
        callback: Callback | None = None,
    ) -> np.ndarray:
        """Fit the model and return the loadings.

        Parameters
        ----------
        X : ndarray of shape (..., n_channels), sparse matrix or CountBlocks
            Counts. A pixel without any is a measurement of zero, unless it is left out.
        y : ignored
        navigation_shape : tuple of int, optional
            Shape of this map, instead of the parameter `navigation_shape`.
        used_pixels : ndarray of bool of shape (n_pixels,) or of the map, optional
            False in pixels left out, which must have no counts.
        callback : callable, optional
            Called with the name of the step, the iteration and its KKT residual.

        Returns
        -------
        ndarray of shape (n_pixels, n_components)
            Loadings in counts.
        """
        check_callback(callback)
        X = self._validate(X, reset=True)
        shape = self.navigation_shape if navigation_shape is None else navigation_shape
        shape = check_shape(shape, X.shape[:-1])
        self.check_parameters(shape, X.shape[-1])
        counts = self._count(X)
        return super().fit_transform(
            counts, navigation_shape=shape, used_pixels=used_pixels, callback=callback
        )

    def _validate(self, X, *, reset):
        check_no_mask(X)
        X = as_array("X", X) if isinstance(X, list | tuple) else X
        if sp.issparse(X) or getattr(X, "ndim", 2) <= 2:
            return super()._validate(X, reset=reset)
        X = np.asarray(X)
        if reset:
            self.n_features_in_ = X.shape[-1]
            self.__dict__.pop("feature_names_in_", None)
        elif X.shape[-1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[-1]} channels, expected {self.n_features_in_}")
        return X

    def _count(self, X):
        n_jobs = resolve_n_jobs(self.n_jobs)
        return X if isinstance(X, CountBlocks) else count_matrix(X, n_jobs=n_jobs)
