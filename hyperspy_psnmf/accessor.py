# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf``: what can be done with a decomposed EDS map."""

import numpy as np

from hyperspy_psnmf import plot
from hyperspy_psnmf.eds import ambiguity, describe, phases, residuals, results, uncertainty
from hyperspy_psnmf.eds.element_maps import element_maps
from hyperspy_psnmf.eds.fit_quality import find_fit_quality
from hyperspy_psnmf.eds.number_of_components import estimate_number
from hyperspy_psnmf.eds.quantify import quantify


class PSNMFAccessor:
    """Phases of an EDS map, from its learning results.

    Works on any non-negative factors and loadings, HyperSpy's own NMF included.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    """

    def __init__(self, signal):
        self._signal = signal

    def __repr__(self):
        lr = self._signal.learning_results
        state = "no decomposition yet" if lr.factors is None else lr.decomposition_algorithm
        return f"<psnmf accessor of {self._signal!r}: {state}>"

    def estimate_number_of_components(
        self,
        max_components: int = 8,
        *,
        fixed_spectra=None,
        energy_range: tuple[float, float] | None = None,
        navigation_mask=None,
        signal_mask=None,
        n_folds: int = 10,
        show_progressbar: bool | None = None,
        random_state=0,
        n_jobs: int | None = None,
    ):
        """Return how many phases the counts can tell apart, before any decomposition.

        Every count is put into one of the folds at random, factorisations of coarse bins
        are fitted to all folds but one, and judged by the deviance of that one. The choice
        is the smallest number within one standard error of the minimum. It is the
        number of spectra that it takes to predict the map: a phase too weak to matter
        is not counted, and one whose spectrum varies may count as two. So may drifts of the
        energy axis and pile-up.

        Parameters
        ----------
        max_components : int
            Largest number to try. The search ends two beyond the minimum.
        fixed_spectra, energy_range, navigation_mask, signal_mask
            As for ``s.decomposition(algorithm="PSNMF")``. Fixed spectra count.
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
            Naming the argument, or if the data are not counts: whole numbers. What was
            filtered, scaled or background-corrected cannot be split into independent parts.
        """
        found = estimate_number(
            self._signal,
            max_components=max_components,
            fixed_spectra=fixed_spectra,
            energy_range=energy_range,
            navigation_mask=navigation_mask,
            signal_mask=signal_mask,
            n_folds=n_folds,
            show_progressbar=show_progressbar,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        return plot.EstimatedNumber(**vars(found))

    @property
    def names(self) -> list[str]:
        """Names of the phases, used in every title and table; set a list to change them."""
        return results.read_names(self._signal)

    @names.setter
    def names(self, names):
        results.write_names(self._signal, names)

    def phase_spectra(self):
        """Return the spectrum of each phase, in counts, as an EDS signal.

        Each is the unit-sum spectrum times all counts of that phase in the map, so
        the spectra add up to the map's sum spectrum. Channels left out at either
        end are cropped, those in between are zero.

        Returns
        -------
        EDSTEMSpectrum or EDSSEMSpectrum
            With a navigation axis "Phase". The metadata are the map's; the live
            time is that of all pixels together.
            ``metadata.Signal.Noise_properties`` holds the variance, that of
            Poisson counts and at least 1.
        """
        return phases.phase_spectra(self._signal)

    def phase_maps(self, normalize: str | None = None):
        """Return the map of each phase as a signal.

        Parameters
        ----------
        normalize : {None, "counts"}
            None: counts. "counts": the fraction of each pixel's counts that comes
            from the phase. That is no mass nor volume fraction: phases differ in
            how many counts a given mass of them yields. Empty pixels are NaN then.

        Returns
        -------
        BaseSignal
            With a navigation axis "Phase" and the map's axes as signal axes.
        """
        return phases.phase_maps(self._signal, normalize=normalize)

    def element_maps(
        self, xray_lines=None, method: str = "model", *, standard_errors: bool = False
    ):
        """Return net maps of X-ray lines, from loadings times intensities of phases.

        So lines that overlap are told apart by the phases they come from. Noise may
        take a map of an absent line a little below zero; sums stay right that way.

        Parameters
        ----------
        xray_lines : list of str, optional
            Such as ``["Fe_Ka", "Pt_La"]``; those of the metadata by default.
        method : {"model", "windows"}
            "model": the phases' spectra are fitted with the lines of all elements in
            the metadata, in eXSpy's families, and a smooth background. Lines that
            overlap are told apart; a warning names peaks that no element explains.
            "windows": eXSpy's integration windows less the background beside them.
        standard_errors : bool
            True: return standard errors too.

        Returns
        -------
        list of BaseSignal
            One map of counts per line, in the order asked for, like those of eXSpy's
            ``get_lines_intensity``. Masked pixels are NaN.
        list of BaseSignal
            With `standard_errors`: 1 sigma in counts, of the loadings and of the
            phases' net intensities. The latter are common to all pixels.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, such as a line outside the energy axis, or what the
            metadata lack.
        """
        return element_maps(
            self._signal, xray_lines, method=method, standard_errors=standard_errors
        )

    def quantify(self, method: str | None = None, factors: dict | None = None, **kwargs):
        """Return the composition of each phase, with standard errors.

        Net intensities of lines go through eXSpy's ``quantification``. Standard errors
        hold the Poisson noise of the spectra, what unmixing adds to it, and the
        factors' errors. They do not hold the ambiguity of the factorisation, which is
        a band of its own, nor a wrong number of phases.

        Parameters
        ----------
        method : {"CL", "zeta", "cross_section", "k_ratios"}, optional
            Cliff-Lorimer, zeta factors or cross sections for thin specimens (EDS_TEM,
            "CL" by default). For EDS_SEM, "k_ratios": intensities over those of pure
            standards, normalised to 100 %. No ZAF correction is applied.
        factors : dict
            One factor per X-ray line in any order, ``{"Fe_Ka": 1.45, ...}``, with its
            standard error if known: ``{"Fe_Ka": (1.45, 0.05), ...}``. Weight-fraction
            k-factors, zeta factors in kg/m², cross sections in barns, or intensities of
            pure standards. Each element of the sample needs one, unless excluded.
        composition_units : {"atomic", "weight"}
            Of tables and maps.
        xray_lines : list of str, optional
            Lines to quantify; those of `factors` by default.
        exclude : str or list of str
            Elements that are in the spectra, but not of the specimen, as
            ``("Cu", "C")``. Their lines are fitted and left out of the composition.
        intensities : {"model", "windows"}
            How net intensities are measured; see `element_maps`.
        absorption_correction : bool
            By eXSpy. "CL" needs the thickness.
        thickness, density : float, list or dict, optional
            Thickness in nm and density in g/cm³, of all phases or of each. Without a
            density eXSpy takes the mean of the elements' own, and that of gases is
            far too low.
        take_off_angle : "auto" or float
            In degrees.
        probe_area : "auto" or float
            Of one pixel, in nm², for cross sections.
        ambiguity : bool
            Give the band of compositions that other factorisations of equal
            likelihood have. Takes as long as `ambiguity`.
        confidence : float
            Of these bands.

        Returns
        -------
        Quantification
            With ``table()``, ``budget()``, ``rows()``, ``to_dataframe()``, ``maps()``,
            ``atomic`` and ``weight``. Below three standard deviations of a blank a
            table shows the detection limit. Phases with too few counts are NaN.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, or what the metadata lack and the call that sets it.
        """
        return quantify(self._signal, method, factors, **kwargs)

    def plot_composition(self, result):
        """Plot the composition of each phase as bars with 1-sigma errors.

        Parameters
        ----------
        result : Quantification
            What `quantify` returned.

        Returns
        -------
        matplotlib.figure.Figure
        matplotlib.axes.Axes
        """
        return plot.plot_composition(result)

    def plot_element_maps(self, xray_lines=None, method: str = "model"):
        """Plot net maps of X-ray lines side by side.

        Parameters
        ----------
        xray_lines, method
            See `element_maps`.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_lines,)
        """
        return plot.plot_element_maps(self.element_maps(xray_lines, method))

    def report(self) -> str:
        """Return a methods paragraph with every setting and diagnostic.

        That the model fits is judged anew from the map's counts; see `residuals`.
        """
        record = results.require_record(self._signal)
        loadings, _ = results.read_counts_and_spectra(self._signal)
        quality = find_fit_quality(self._signal)
        return describe.report(record, self.names, np.nansum(loadings, axis=0), quality)

    def standard_errors(self, of: str = "maps", *, given_spectra: bool = True):
        """Return 1-sigma errors of the maps, the spectra or the model.

        A loading of zero has no sigma, for it is at the border of what is
        possible: it is NaN here, and `upper_limits` tells how large it may be.

        Parameters
        ----------
        of : {"maps", "spectra", "model"}
            "maps": of the counts of each phase in each pixel. "spectra": of
            ``phase_spectra()``, given the maps. "model": of the counts that all
            phases together predict in each pixel and channel, given the spectra;
            as large as the data.
        given_spectra : bool
            True: as if the spectra were exact, where intervals cover what they
            promise. But spectra are estimates, and with those the phantoms' true
            loadings are inside one sigma in 30 to 60 % of the cases. False adds what
            other spectra that fit as well would change; see `ambiguity`. These
            errors are common to all pixels and do not average out. Maps only.

        Returns
        -------
        BaseSignal
            For maps: with a navigation axis "Phase" and the map's axes as signal
            axes, in counts, from the Fisher information of all loadings that are
            above zero; where PSNMF had a spatial prior, the spread of the posterior.
            For spectra and the model an EDS signal, likewise in counts. Masked
            pixels and channels are NaN.
        """
        return uncertainty.standard_errors(self._signal, of, given_spectra=given_spectra)

    def upper_limits(self, *, confidence: float = 0.95):
        """Return one-sided upper limits of the loadings that are at zero.

        Up to there, the likelihood is not lower than by 1.35 nats at 95 %, the
        other loadings of the pixel following, given the spectra.

        Parameters
        ----------
        confidence : float
            Above 0.5 and below 1.

        Returns
        -------
        BaseSignal
            Like `phase_maps`, in counts; NaN where a loading is above zero: there
            `standard_errors` holds. NaN too in masked pixels.
        """
        return uncertainty.find_upper_limits(self._signal, confidence=confidence)

    def ambiguity(self, *, confidence: float = 0.95, factors: dict[str, float] | None = None):
        """Return, for each phase, what the data cannot tell apart.

        Several factorisations can fit the counts equally well. This looks for as
        many of them as possible, on the binned map, with all loadings and spectra
        free, and returns the bands that hold them all, sampling noise included.
        Errors of the model are not: a wrong number of phases, for one.

        Parameters
        ----------
        confidence : float
            Between 0 and 1.
        factors : dict, optional
            One Cliff-Lorimer factor per X-ray line, as ``{"Fe_Ka": 1.45, ...}``.
            With them there are bands of compositions too.

        Returns
        -------
        Ambiguity
            With ``spectra_low``, ``spectra_high``, ``counts_band``,
            ``compositions_band`` and ``table()``. See `plot_ambiguity` for a figure.
        """
        return ambiguity.find_ambiguity(self._signal, confidence=confidence, factors=factors)

    def residuals(self):
        """Return how well the model fits each pixel and each channel.

        The deviance of the counts from the model over what Poisson counts would
        have, so that a good fit reads about 1 everywhere, at few counts too.

        Returns
        -------
        Residuals
            With ``map``, ``spectrum`` and ``total``. See `plot_residuals`.
        """
        return residuals.find_residuals(self._signal)

    def plot_ambiguity(
        self, *, confidence: float = 0.95, factors: dict[str, float] | None = None, result=None
    ):
        """Plot the bands of spectra, counts and, with factors, compositions.

        Parameters
        ----------
        confidence, factors
            See `ambiguity`.
        result : Ambiguity, optional
            What `ambiguity` returned, not to compute it again.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
        """
        return plot.plot_ambiguity(result or self.ambiguity(confidence=confidence, factors=factors))

    def plot_residuals(self, *, result=None):
        """Plot the deviance per degree of freedom as a map and as a spectrum.

        X-ray lines near which the spectrum stands out are labelled.

        Parameters
        ----------
        result : Residuals, optional
            What `residuals` returned, not to compute it again.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (2,)
        """
        return plot.plot_residuals(result or self.residuals())

    def plot(self):
        """Plot each phase's map beside its spectrum with labelled X-ray lines.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
        """
        return plot.plot_phases(self.phase_maps(), self.phase_spectra())
