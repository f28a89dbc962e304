# SPDX-License-Identifier: GPL-3.0-or-later
"""Goodness of fit in the report's sentences; see `eds.fit_check.verdict`."""

from hyperspy_psnmf.eds.decompose.notes import why_not_counts
from hyperspy_psnmf.eds.fit_check.drift import Drift
from hyperspy_psnmf.eds.fit_check.pile_up import SumPeak
from hyperspy_psnmf.eds.fit_check.verdict import FitQuality, SignificantResidual
from hyperspy_psnmf.eds.signals.axes import format_energy
from hyperspy_psnmf.nmf.uncertainty.likelihood_ratio import LikelihoodRatio

MAX_SCATTER = 0.5  # of the deviance per degree of freedom, expected to be 1
MAX_NAMED = 4  # energies with significant deviance


def sentences_on_fit(quality: FitQuality) -> list[str]:
    """Return the sentences on whether the model fits, and where it does not."""
    sentences = [_on_deviance(quality)]
    if quality.drift is not None:
        sentences.append(_on_drift(quality.drift))
    if quality.sum_peaks:
        peaks = ", ".join(map(_name_sum_peak, quality.sum_peaks))
        sentences.append(f"There is pile-up, or an unlisted element, at {peaks}.")
    return sentences


def sentence_on_likelihood(ratio: LikelihoodRatio, confidence: float) -> str:
    """Return the sentence on whether the result is as likely as the best factorisation."""
    verdict = "does not reject" if ratio.is_as_likely else "rejects"
    return (
        f"A likelihood-ratio test at {100 * confidence:g} % {verdict} the result: its divergence "
        f"on the binned map is {ratio.excess:.1f} nats above that of the most likely "
        f"factorisation, where up to {ratio.limit:.1f} are not significant."
    )


def _on_deviance(quality):
    if quality.scatter > MAX_SCATTER:
        return "There are too few counts to judge whether the model fits."
    found = (
        f"On the binned map the deviance per degree of freedom is {quality.total:.3f}, where "
        f"noise alone gives 1 +- {quality.scatter:.3f}"
    )
    if not quality.values.are_counts:
        return (
            f"{found}, but the data are not counts: {why_not_counts(quality.values)}. So it "
            "does not measure the fit."
        )
    if quality.fits:
        return f"{found}: the model fits."
    if quality.is_within_noise:
        return f"{found}."
    causes = "A phase too few, or spectra that change over the map, as by absorption,"
    if quality.drift is not None:
        causes = "The energy axis, see below, or a phase too few"
    return (
        f"{found}: the counts differ from the model by more than noise{_where(quality.places)}. "
        f"{causes} may be the cause; see residuals()."
    )


def _where(places: list[SignificantResidual]):
    named = [
        f"{format_energy(one.energy)}{'' if one.line is None else f' ({one.line})'}"
        for one in places[:MAX_NAMED]
    ]
    more = [f"{len(places) - MAX_NAMED} more"] if len(places) > MAX_NAMED else []
    return f" near {', '.join([*named, *more])}" if named else ""


def _on_drift(drift: Drift):
    return (
        f"The energy axis drifts: lines move {'up' if drift.shift > 0 else 'down'} by at least "
        f"{abs(drift.shift):.1f} +- {drift.error:.1f} eV from the first to the last pixels along "
        f"{drift.along}."
    )


def _name_sum_peak(peak: SumPeak):
    a, b = peak.energies
    lines = "" if peak.lines is None else f" ({' + '.join(peak.lines)})"
    return f"{peak.energy:.2f} keV = {a:.2f} + {b:.2f} keV{lines}"
