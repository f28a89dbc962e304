# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of residuals: as a map, as a spectrum, and of the binned map."""

import numpy as np

from hyperspy_psnmf.eds.fit_check.verdict import NEAR, SIGNIFICANT_CHANNEL
from hyperspy_psnmf.eds.signals.axes import format_energy
from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.image import axis_label, draw_image
from hyperspy_psnmf.plot.xray_lines import KEV, line_energies

# Robust standard deviations of the residual spectrum; a matter of how many lines are labelled.
LABELLED = 5


def plot_residuals(result):
    """Plot the residuals: where the model does not fit.

    Dips of the spectrum below 1 are no lack of fit: there the lines of a phase of few counts
    are fitted to their own noise.

    Parameters
    ----------
    result : Residuals
        From ``s.psnmf.residuals()``.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : numpy.ndarray of matplotlib.axes.Axes, of shape (3,)
        Map, spectrum, and spectrum of the binned map.
    """
    fig, axes = subplots(
        1, 3, figsize=(14, 3.4), gridspec_kw={"width_ratios": (1, 1.5, 1.5)}, layout="constrained"
    )
    label = result.spectrum.metadata.Signal.quantity
    _draw_residual_map(axes[0], result.map, label)
    _draw_residual_spectrum(axes[1], result.spectrum, label)
    axes[1].set_title(f"All counts together: {result.total:.3f}\n(dips: the model follows noise)")
    _draw_binned_residuals(axes[2], result.binned)
    axes[2].set_title(f"Binned map; the report names lines above {SIGNIFICANT_CHANNEL:g}")
    return fig, axes


def _draw_residual_map(ax, residuals, label):
    axes, data = residuals.axes_manager.signal_axes, residuals.data
    if data.ndim == 1:
        ax.axhline(1, color="0.6", linewidth=0.8)
        ax.plot(axes[0].axis, data, color="k", linewidth=0.9)
        ax.set(xlabel=axis_label(axes[0]), ylabel=label)
        return
    if data.ndim > 2:
        leading = tuple(range(data.ndim - 2))
        filled = np.isfinite(data).sum(axis=leading)
        data = np.nansum(data, axis=leading) / np.where(filled, filled, np.nan)
    far = np.abs(data[np.isfinite(data)] - 1)
    half = max(np.percentile(far, 99.5) if far.size else 0.0, 1e-3)
    image = draw_image(ax, data, axes, cmap="RdBu_r", vmin=1 - half, vmax=1 + half)
    ax.figure.colorbar(image, ax=ax, label=label)


def _draw_residual_spectrum(ax, spectrum, label):
    data = np.ravel(spectrum.data)
    finite = data[np.isfinite(data)]
    middle = np.median(finite) if finite.size else 1.0
    # The median of absolute deviations, because outliers would increase a standard deviation.
    spread = 1.4826 * np.median(np.abs(finite - middle)) if finite.size else 0.0
    ax.axhline(1, color="0.6", linewidth=0.8)
    _draw_outliers(ax, spectrum, label, middle + LABELLED * spread)


def _draw_binned_residuals(ax, spectrum):
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.axhline(SIGNIFICANT_CHANNEL, color="0.6", linewidth=0.8, linestyle="--")
    _draw_outliers(ax, spectrum, "Standard deviations above noise", SIGNIFICANT_CHANNEL)
    _label_unknown_peaks(ax, spectrum, SIGNIFICANT_CHANNEL)


def _label_unknown_peaks(ax, spectrum, limit):
    """Write the energy where a spectrum is above a limit and no line of the sample is near."""
    energy = spectrum.axes_manager.signal_axes[0]
    if str(energy.units) not in KEV:
        return
    near = NEAR * KEV[str(energy.units)]
    left = np.nan_to_num(np.ravel(spectrum.data))
    for line in line_energies(spectrum).values():
        left = np.where(np.abs(energy.axis - line) < near, 0.0, left)
    while left.max(initial=0.0) > limit:
        # Channels of a sum have one value: its middle.
        at = energy.axis[left == left.max()].mean(), left.max()
        words = format_energy(at[0] / KEV[str(energy.units)])
        ax.annotate(words, at, ha="center", va="bottom", fontsize=7, rotation=90)
        left = np.where(np.abs(energy.axis - at[0]) < 3 * near, 0.0, left)


def _draw_outliers(ax, spectrum, label, limit):
    """Draw a spectrum and name the lines where it is above a limit."""
    energy, data = spectrum.axes_manager.signal_axes[0], np.ravel(spectrum.data)
    ax.step(energy.axis, data, where="mid", color="k", linewidth=0.7)
    ax.set(xlim=(energy.axis[0], energy.axis[-1]), ylabel=label, xlabel=axis_label(energy))
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top + 0.22 * (top - bottom))  # room for labels
    for name, line in line_energies(spectrum).items():
        nearest = int(np.argmin(np.abs(energy.axis - line)))
        peak = np.nan_to_num(data[max(0, nearest - 3) : nearest + 4]).max(initial=0.0)
        if peak > limit:
            ax.annotate(name, (line, peak), ha="center", va="bottom", fontsize=7, rotation=90)
