# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.residuals()``: where the model does not fit the counts."""

from dataclasses import dataclass

import numpy as np
from hyperspy.signals import BaseSignal

from hyperspy_psnmf.eds.fit_check.binned import find_binned_deviance
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.signals.build import images_like, spectra_like
from hyperspy_psnmf.eds.signals.picklable import Picklable
from hyperspy_psnmf.nmf.diagnostics.deviance import goodness_of_fit

QUANTITY = "Deviance per degree of freedom"
BINNED = "Deviance above noise (standard deviations)"


@dataclass(frozen=True, eq=False)
class Residuals(Picklable):
    """Deviance per degree of freedom: 1 where the model fits, more where it does not.

    Attributes
    ----------
    map : BaseSignal
        Of each pixel, with the map's axes as signal axes. NaN where pixels were
        left out or have too few counts.
    spectrum : EDSTEMSpectrum or EDSSEMSpectrum
        Of each channel, on the energy axis of ``phase_spectra()``; NaN likewise. Below 1
        where the model follows noise: at the lines of a phase of few counts.
    total : float
        Of all counts together.
    binned : EDSTEMSpectrum or EDSSEMSpectrum
        Deviance of each channel of the binned map above what noise gives, in standard
        deviations: residuals common to neighbouring pixels and channels add up here.
        ``report()`` is based on it; all channels of a sum of about 40 eV have one value.
    """

    map: BaseSignal
    spectrum: object
    total: float
    binned: object


def find_residuals(decomposed: Decomposed) -> Residuals:
    """Return the residuals of a decomposed map; see the accessor."""
    W, H, record = decomposed.W, decomposed.H, decomposed.record
    degrees = {"n_averaged": record.n_pixels_behind, "prior_weights": record.prior_weights}
    with decomposed.open_counts() as X:
        fit = goodness_of_fit(X, W, H, **degrees, n_jobs=None)
        binned = find_binned_deviance(decomposed, X).channels
    rows = np.where(decomposed.map_input.keep_pixels, fit.rows, np.nan)
    return Residuals(
        images_like(decomposed.signal, rows, QUANTITY, QUANTITY),
        _spectrum(decomposed, fit.channels, QUANTITY),
        fit.total,
        _spectrum(decomposed, binned, BINNED),
    )


def _spectrum(decomposed, channels, quantity):
    """Return the residuals on the channels of the phases' spectra."""
    found, inside = decomposed.spectra, decomposed.map_input.inside
    data = np.full(inside.size, np.nan)
    data[inside] = channels
    title = f"{quantity} of {found.metadata.General.title.removeprefix('Phase spectra of ')}"
    spectrum = spectra_like(found, data, title, navigation=[])
    del spectrum.metadata.Phases
    spectrum.metadata.Signal.quantity = quantity
    return spectrum
