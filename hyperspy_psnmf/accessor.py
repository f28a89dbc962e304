# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf``: what can be done with a decomposed EDS map."""

import numpy as np

from hyperspy_psnmf import plot
from hyperspy_psnmf.eds import ambiguity, describe, phases, residuals, results, uncertainty


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

    def report(self) -> str:
        """Return a methods paragraph with every setting and diagnostic."""
        record = results.require_record(self._signal)
        loadings, _ = results.read_counts_and_spectra(self._signal)
        return describe.report(record, self.names, np.nansum(loadings, axis=0))

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
