# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of ``s.psnmf`` on the number of phases and on uncertainties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hyperspy_psnmf.eds.decompose.masks import read_map_input
from hyperspy_psnmf.eds.decompose.n_phases import estimate_number
from hyperspy_psnmf.eds.fit_check.residuals import find_residuals
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.quantify.quantify import find_ambiguity_of_compositions
from hyperspy_psnmf.eds.uncertainty import standard_errors as uncertainty
from hyperspy_psnmf.eds.uncertainty.ambiguity import find_ambiguity
from hyperspy_psnmf.results import Ambiguity, EstimatedNumber, Residuals

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from numpy.typing import ArrayLike


class Certainty:
    """The number of phases, standard errors, ambiguity and goodness of fit."""

    _signal: Any

    def estimate_number_of_components(
        self,
        max_components: int = 8,
        *,
        fixed_spectra: BaseSignal | ArrayLike | None = None,
        spectra: str = "auto",
        energy_range: tuple[float, float] | None = None,
        navigation_mask: BaseSignal | ArrayLike | float | None = None,
        signal_mask: BaseSignal | ArrayLike | None = None,
        counts_per_unit: float | None = None,
        n_folds: int = 10,
        show_progressbar: bool | None = None,
        random_state: Any = 0,
        n_jobs: int | None = None,
    ) -> EstimatedNumber:
        """Estimate the number of phases by count splitting, before any decomposition.

        Every count is assigned to one of the folds at random. Factorisations of coarse bins
        are fitted to all folds but one, and scored by the deviance of that one. The estimate
        is the smallest number within one standard error of the minimum. It is the number of
        spectra needed to predict the map: weak phases may be missed, and a phase with a
        varying spectrum may count as two, as may drifts of the energy axis and pile-up. Spectra
        made of X-ray lines need fewer counts, and their lines may vary by some ten per cent.

        Parameters
        ----------
        max_components : int
            Largest number to try. The search ends two beyond the minimum.
        fixed_spectra : EDS signal or array of shape (n_fixed, n_channels), optional
            Spectra of phases that are known. They count.
        spectra : {"auto", "lines", "free"}
            Whether spectra are made of X-ray lines and continuum, or each channel is free; "auto"
            is lines where the metadata have a beam energy and a detector resolution.
        energy_range : (float, float), optional
            Energies used, in keV.
        navigation_mask : ndarray, BaseSignal or float, optional
            Pixels left out (True), an array in (x, y) order; a float is the threshold of
            ``vacuum_mask``, on EDS_TEM signals.
        signal_mask : ndarray or BaseSignal, optional
            Channels left out (True).
        counts_per_unit : float, optional
            Factor from the data to counts, where they are rates or means.
        n_folds : int
            Number of folds, at least 2.
        show_progressbar : bool, optional
            None is HyperSpy's preference.
        random_state : int, Generator, RandomState or None
            Seed of the folds.
        n_jobs : int or None
            Threads; None is all cores.

        Returns
        -------
        EstimatedNumber
            With ``best``, ``minimum``, ``table()`` and ``plot()``.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, or if the data are not counts: whole numbers. Filtered or
            background-corrected data cannot be split into independent parts, and scaled data
            only with `counts_per_unit`.
        """
        map_input = read_map_input(
            self._signal,
            navigation_mask=navigation_mask,
            signal_mask=signal_mask,
            energy_range=energy_range,
            counts_per_unit=counts_per_unit,
        )
        found = estimate_number(
            self._signal,
            map_input,
            max_components=max_components,
            fixed_spectra=fixed_spectra,
            spectra=spectra,
            n_folds=n_folds,
            show_progressbar=show_progressbar,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        return EstimatedNumber.made_of(found)

    def standard_errors(
        self,
        of: str = "maps",
        *,
        given_spectra: bool | None = None,
        show_progressbar: bool | None = None,
        random_state: Any = 0,
    ) -> BaseSignal:
        """Return 1-sigma errors of the maps, the spectra or the model.

        A loading of zero is at its lower bound and has no sigma: it is NaN here, and
        `upper_limits` gives its upper limit.

        Parameters
        ----------
        of : {"maps", "spectra", "model"}
            "maps": of the counts of each phase in each pixel. "spectra": of
            ``phase_spectra()``, given the maps. "model": of the counts that all
            phases together predict in each pixel and channel, given the spectra;
            as large as the data.
        given_spectra : bool, optional
            Of maps only. True: with the spectra taken as exact, for which the coverage of
            intervals is right. But spectra are estimates. False: they are found eight times
            again, without a quarter of the counts, and the changes of the loadings added
            (jackknife), which takes about twice as long as the decomposition. None, the
            default, is False where that is possible, and else True with a warning.
            Errors that are the same in every fit are not included: see `ambiguity`.
            These errors are common to all pixels and do not average out.
        show_progressbar : bool, optional
            Of these fits; None is HyperSpy's preference.
        random_state : int, Generator, RandomState or None
            Seed of the counts left out in them.

        Returns
        -------
        BaseSignal
            For maps: with a navigation axis "Phase" and the map's axes as signal
            axes, in counts, from the Fisher information of all loadings that are
            above zero; where PSNMF has smoothed the maps, the spread of the posterior.
            For spectra and the model an EDS signal, likewise in counts. Masked
            pixels and channels are NaN.

        Raises
        ------
        RuntimeError
            If there is no decomposition, or none by PSNMF with `given_spectra=False`.
        TypeError, ValueError
            Naming the argument; with `given_spectra=False` if the data are not counts.
        """
        return uncertainty.standard_errors(
            Decomposed.read(self._signal),
            of,
            given_spectra=given_spectra,
            show_progressbar=show_progressbar,
            random_state=random_state,
        )

    def upper_limits(self, *, confidence: float = 0.95) -> BaseSignal:
        """Return one-sided upper limits of the loadings that are at zero.

        At the limit the log-likelihood is lower by 1.35 nats (at 95 %), with the other
        loadings of the pixel re-optimised (profile likelihood), given the spectra.

        Parameters
        ----------
        confidence : float
            Above 0.5 and below 1.

        Returns
        -------
        BaseSignal
            Like `phase_maps`, in counts; NaN where a loading is above zero, for
            which `standard_errors` are valid, and in masked pixels.
        """
        return uncertainty.find_upper_limits(Decomposed.read(self._signal), confidence=confidence)

    def ambiguity(self, *, confidence: float = 0.95, factors: dict | None = None) -> Ambiguity:
        """Return confidence bands of each phase's spectrum, counts and composition.

        Several factorisations can fit the counts equally well. They are searched for
        on the binned map, with all loadings and spectra free (profile likelihood). Spectra made
        of X-ray lines (``spectra="lines"``) stay so: elements change places between phases, and
        channels do not. The bands enclose them all and include sampling noise, but no errors of
        the model, such as a wrong number of phases or templates that do not fit.

        The result itself is always inside its bands, whether it is as likely or not: a
        likelihood-ratio test against the most likely factorisation gives its excess, and warns
        where it is significant.

        Parameters
        ----------
        confidence : float
            Between 0 and 1.
        factors : dict, optional
            One factor per X-ray line, as ``{"Fe_Ka": 1.45, ...}``, as `quantify` takes
            them: of Cliff and Lorimer, or on EDS_SEM maps the intensities of pure
            standards. With them there are bands of compositions too, of the elements
            with factors alone.

        Returns
        -------
        Ambiguity
            With ``spectra_low``, ``spectra_high``, ``counts_band``, ``compositions_band``,
            ``likelihood_ratio``, ``table()`` and ``plot()``. `quantify` takes it for the bands
            of any compositions.

        Raises
        ------
        RuntimeError
            If there is no decomposition, or if spectra are made of templates that were given to
            an estimator, which are not stored.
        TypeError, ValueError
            Naming the argument.
        """
        decomposed = Decomposed.read(self._signal)
        if factors is None:
            found = find_ambiguity(decomposed, confidence=confidence)
        else:
            found = find_ambiguity_of_compositions(decomposed, factors, confidence)
        return Ambiguity.made_of(found)

    def residuals(self) -> Residuals:
        """Return how well the model fits each pixel and each channel.

        The deviance of the counts from the model over what Poisson counts would
        have: about 1 everywhere for a good fit, at few counts too.

        Returns
        -------
        Residuals
            With ``map``, ``spectrum``, ``total`` and ``plot()``, and ``binned``: the deviance of
            the binned map, in which residuals common to neighbouring pixels add up; `report` is
            based on it.
        """
        return Residuals.made_of(find_residuals(Decomposed.read(self._signal)))
