# SPDX-License-Identifier: GPL-3.0-or-later
"""Caveats of a fit of lines, as sentences for the user."""

from dataclasses import replace

import numpy as np

from hyperspy_psnmf.eds.unlisted.found import describe_unlisted

# Standard error of a line, relative to the counts around it, from which lines are inseparable.
INSEPARABLE = 0.25
MIN_COUNTS = 100.0  # around a line; with fewer, noise alone is that large
CORRELATED = 0.7  # correlation of two lines, to name the other one
AXIS_OFF = 0.008  # keV; smaller shifts are not noticeable in figures
SIGNIFICANT = 3.0  # standard errors of a shift
MAX_NAMES = 6
BELOW_ZERO = 3.0  # standard deviations; more is not noise


def notes_on_fit(of_sum, lines: list[str]):
    """Yield sentences on the fit to the sum of spectra.

    Parameters
    ----------
    of_sum : FittedSum
    lines : list of str
        Those asked for.
    """
    if of_sum.unlisted:
        yield describe_unlisted(of_sum.unlisted)
    inseparable = list(_inseparable(of_sum, lines))
    if inseparable:
        more = len(inseparable) - MAX_NAMES
        shown = ", ".join(inseparable[:MAX_NAMES]) + (f" and {more} others" if more > 0 else "")
        yield (
            f"lines that the spectra do not distinguish: {shown}. How counts are "
            "divided among them is arbitrary, within the standard errors; list fewer elements, "
            "if you can"
        )
    if not of_sum.converged:
        yield (
            "the fit of lines and continuum to the sum of all phases has not converged: "
            "plot_line_fit() shows where it is off"
        )
    described = describe_axis(of_sum.axis, of_sum.model.fitted.main_energies)
    if described:
        yield described


def _inseparable(of_sum, lines):
    """Yield the lines asked for that other lines fit as well, with the most correlated of these."""
    model, errors = of_sum.model, of_sum.line_errors
    n = len(model.lines)
    correlation = of_sum.covariance[:n, :n] / np.outer(errors, errors)
    for line in lines:
        i = model.tabulated.lines.index(line)
        if model.limits[i] < MIN_COUNTS or errors[i] < INSEPARABLE * model.limits[i]:
            continue
        others = np.where(np.arange(n) == i, 0.0, -correlation[i])
        rival = int(np.argmax(others))
        named = f"{line} and {model.tabulated.lines[rival]}"
        yield named if others[rival] > CORRELATED else f"{line} and several others"


def describe_axis(axis, energies: np.ndarray) -> str:
    """Return a sentence on an energy axis that is off, or "" for one that is not.

    Parameters
    ----------
    axis : EnergyCalibration
    energies : ndarray of shape (n_lines,)
        Of the lines, in keV.
    """
    if not energies.size:
        return ""
    low, high = np.nanmin(energies), np.nanmax(energies)
    off = [axis.shift(e) for e in (low, high)]
    errors = [axis.shift_error(e) for e in (low, high)]
    beyond = [
        abs(by) > max(AXIS_OFF, SIGNIFICANT * error) for by, error in zip(off, errors, strict=True)
    ]
    if not any(beyond):
        return ""
    ends = [
        f"{1e3 * by:+.0f} \u00b1 {max(1e3 * error, 1.0):.0f} eV off"
        for by, error in zip(off, errors, strict=True)
    ]
    at_both_ends = f"{ends[0]} at {low:.2f} keV and {ends[1]} at {high:.2f} keV"
    return (
        f"the energy axis is {ends[0] if ends[0] == ends[1] else at_both_ends}. Lines were "
        "measured where they are recorded; s.axes_manager is left as it is"
    )


def widen_below_zero(measured):
    """Return the same, standard errors widened where net counts are significantly negative."""
    below = measured.net < -BELOW_ZERO * measured.sigma
    if not below.any():
        return measured
    names = measured.spectra.metadata.Phases.names
    worst = np.argwhere(below)[np.argsort((measured.net / measured.sigma)[below])]
    which = ", ".join(
        f"{measured.lines[i]} of {names[p]} ({measured.net[p, i]:.0f} ± {measured.sigma[p, i]:.0f})"
        for p, i in worst[:MAX_NAMES]
    )
    if len(worst) > MAX_NAMES:
        which += f" and {len(worst) - MAX_NAMES} others"
    note = (
        f"net counts below zero by more than noise: {which}. Unmixing took too much of another "
        "phase from that spectrum, or its continuum is not what the model has. Standard errors and "
        "detection limits were widened to include it"
    )
    error = np.where(below, measured.net, 0.0)
    return replace(
        measured,
        covariance=measured.covariance + error[:, :, None] ** 2 * np.eye(len(measured.lines)),
        blank=np.hypot(measured.blank, error),
        notes=(*measured.notes, note),
    )
