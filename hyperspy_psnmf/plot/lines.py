# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the fit of X-ray lines and background to the phases' spectra."""

import numpy as np

from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.phases import axis_label, phase_color
from hyperspy_psnmf.plot.xray_lines import label_lines, last_line

MIN_RANGE = 6.0  # standard deviations, of the residuals' axis


def plot_line_fit(fit):
    """Plot each phase's spectrum with its fit, and the residuals.

    Parameters
    ----------
    fit : FittedSpectra or None
        As in ``s.psnmf.quantify().fit``.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)

    Raises
    ------
    ValueError
        If `fit` is None, as of intensities from windows.
    """
    if fit is None:
        raise ValueError(
            "result: its intensities are from windows, which fit nothing; quantify with "
            "intensities='model'"
        )
    names = fit.spectra.metadata.Phases.names
    n = len(names)
    fig, axes = subplots(
        2 * n,
        1,
        figsize=(9, 3.3 * n + 0.3),
        sharex=True,
        gridspec_kw={"height_ratios": (3, 1) * n},
        layout="constrained",
    )
    axes = np.array(axes).reshape(n, 2)
    axis = fit.spectra.axes_manager.signal_axes[0]
    for i, (upper, lower) in enumerate(axes):
        _draw_fit(upper, fit, i, axis.axis)
        upper.set_title(names[i], color=phase_color(i))
        _draw_rest(lower, fit, i, axis.axis)
    axes[0, 0].legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    axes[-1, 1].set(xlabel=axis_label(axis), xlim=(axis.axis[0], last_line(fit.spectra, axis)))
    return fig, axes


def _draw_fit(ax, fit, index, energy):
    data, color = np.atleast_2d(fit.spectra.data)[index], phase_color(index)
    shown = np.isfinite(fit.fitted[index])
    top = np.max(data[shown], initial=1.0)
    lowest = np.nanmin(np.where(fit.continuum[index] > 0.0, fit.continuum[index], np.nan))
    bottom = max(0.3 * lowest, 1e-5 * top)
    ax.fill_between(
        energy, np.maximum(data, bottom), bottom, step="mid", color=color, alpha=0.25, lw=0
    )
    ax.plot(energy, fit.fitted[index], color="k", linewidth=0.9, label="fit")
    ax.plot(
        energy, fit.continuum[index], color="k", linewidth=0.9, linestyle="--", label="continuum"
    )
    ax.set(yscale="log", ylim=(bottom, 30 * top), ylabel="Counts")
    label_lines(ax, fit.spectra, data, fit.axis)


def _draw_rest(ax, fit, index, energy):
    data = np.atleast_2d(fit.spectra.data)[index]
    rest = (data - fit.fitted[index]) / fit.sigma[index]
    ax.axhline(0.0, color="0.6", linewidth=0.8)
    ax.step(energy, rest, where="mid", color=phase_color(index), linewidth=0.8)
    most = max(MIN_RANGE, 1.05 * np.nanmax(np.abs(rest), initial=0.0))
    ax.set(ylim=(-most, most), ylabel="Rest / $\\sigma$")
