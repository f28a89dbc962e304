# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of phases. Functions take signals and return matplotlib objects."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from hyperspy_psnmf.eds.fit_quality import NEAR
from hyperspy_psnmf.eds.fit_quality import STANDS_OUT as TOLD
from hyperspy_psnmf.eds.sample import line_energy, sample_lines
from hyperspy_psnmf.plot.figure import subplots

# Okabe & Ito's palette, told apart by colour-blind readers too; black comes last.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")

ZERO_PEAK = 0.12  # keV
PEAK = 4.0  # standard deviations of counts
STANDS_OUT = 5  # standard deviations of the residual spectrum
_KEV = {"keV": 1.0, "eV": 1000.0}


def phase_color(index: int) -> str:
    """Return the colour of a phase, the same in every figure."""
    return PALETTE[index % len(PALETTE)]


def plot_phases(maps, spectra):
    """Plot each phase's map beside its spectrum.

    Parameters
    ----------
    maps : BaseSignal
        From ``s.psnmf.phase_maps()``. A series of maps is summed over all but the
        last two axes; a line scan is drawn as a line.
    spectra : EDSSpectrum
        From ``s.psnmf.phase_spectra()``; the X-ray lines in its metadata are labelled.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
    """
    names = maps.metadata.Phases.names
    n = len(names)
    fig, axes = subplots(
        n,
        2,
        figsize=(10, 2.4 * n + 0.4),
        gridspec_kw={"width_ratios": (1, 2.4)},
        squeeze=False,
        layout="constrained",
    )
    for i, (left, right) in enumerate(axes):
        _draw_map(left, maps.data[i], maps.axes_manager.signal_axes, phase_color(i))
        left.set_title(names[i], color=phase_color(i))
        _draw_spectrum(right, spectra, i)
    axes[-1, 1].set_xlabel(axis_label(spectra.axes_manager.signal_axes[0]))
    return fig, axes


def plot_ambiguity(result):
    """Plot what the data cannot tell apart.

    Parameters
    ----------
    result : Ambiguity
        From ``s.psnmf.ambiguity()``.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : numpy.ndarray of matplotlib.axes.Axes, of shape (n_phases, 2)
        The band of the spectrum on the left; those of the share of counts and of
        the composition on the right, with points where they were found.
    """
    n = len(result.names)
    fig, axes = subplots(
        n,
        2,
        figsize=(10, 2.4 * n + 0.4),
        gridspec_kw={"width_ratios": (2.4, 1)},
        squeeze=False,
        layout="constrained",
    )
    for i, (left, right) in enumerate(axes):
        _draw_band(left, result, i)
        left.set_title(result.names[i], color=phase_color(i))
        _draw_intervals(right, result, i)
    axes[-1, 0].set_xlabel(axis_label(result.spectra.axes_manager.signal_axes[0]))
    axes[-1, 1].set_xlabel(f"Per cent ({100 * result.confidence:g} % bands)")
    return fig, axes


def plot_residuals(result):
    """Plot where the model does not fit.

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
    axes[1].set_title(f"All counts together: {result.total:.3f}")
    _draw_binned_residuals(axes[2], result.binned)
    axes[2].set_title(f"Binned map; above {TOLD:g} the report tells")
    return fig, axes


def axis_label(axis) -> str:
    """Return name and unit of an axis."""
    name = axis.name if isinstance(axis.name, str) else "Position"
    return f"{name} ({axis.units})" if isinstance(axis.units, str) and axis.units else name


def axis_edges(axis):
    """Return where the first pixel begins and the last one ends."""
    values = np.asarray(axis.axis, dtype=float)
    half = (values[-1] - values[0]) / max(1, 2 * (values.size - 1)) or 0.5
    return values[0] - half, values[-1] + half


def _draw_map(ax, data, map_axes, color):
    x = map_axes[0]
    ax.set_xlabel(axis_label(x))
    if data.ndim == 1:
        ax.plot(x.axis, data, color=color)
        ax.set_ylabel("Counts")
        return
    y = map_axes[1]
    data = np.nansum(data, axis=tuple(range(data.ndim - 2))) if data.ndim > 2 else data
    # Black to a tint of the phase's colour: dark is little, as in every microscope, and a
    # phase that fills the map still has its colour.
    tint = 0.35 * np.array(to_rgb(color)) + 0.65
    shades = LinearSegmentedColormap.from_list("phase", ["black", color, tint])
    top = np.nanpercentile(data, 99.8) or None  # a few hot pixels must not hide the rest
    extent = (*axis_edges(x), *axis_edges(y)[::-1])
    image = ax.imshow(data, cmap=shades, extent=extent, vmin=0, vmax=top, interpolation="nearest")
    ax.set_ylabel(axis_label(y))
    ax.figure.colorbar(image, ax=ax, label="Counts")


def _draw_spectrum(ax, spectra, index):
    energy = spectra.axes_manager.signal_axes[0]
    data = np.atleast_2d(spectra.data)[index]
    color = phase_color(index)
    ax.fill_between(energy.axis, data, step="mid", color=color, alpha=0.3, linewidth=0)
    ax.step(energy.axis, data, where="mid", color=color, linewidth=0.9)
    # The zero peak of SEM detectors would dwarf every line.
    visible = data[energy.axis > ZERO_PEAK * _KEV.get(str(energy.units), 1.0)]
    top = 1.4 * max(visible.max(initial=0.0), 1e-9)
    ax.set(ylim=(0, top), xlim=(energy.axis[0], _last_line(spectra, energy)), ylabel="Counts")
    _label_lines(ax, spectra, data, top)


def _line_energies(spectra):
    """Return {line: energy} of the X-ray lines of the sample within the axis."""
    axis = spectra.axes_manager.signal_axes[0]
    if str(axis.units) not in _KEV:
        return {}
    found = {}
    for line in sample_lines(spectra):
        element, _, name = line.partition("_")
        energy = line_energy(line) * _KEV[str(axis.units)]
        if axis.axis[0] <= energy <= axis.axis[-1]:
            found[f"{element} {name.replace('a', 'α').replace('b', 'β')}"] = energy
    return found


def _last_line(spectra, energy):
    """Return where to end the energy axis: the tail beyond all lines is empty."""
    lines = _line_energies(spectra).values()
    return min(energy.axis[-1], 1.15 * max(lines)) if lines else energy.axis[-1]


def _label_lines(ax, spectra, data, top):
    axis = spectra.axes_manager.signal_axes[0]
    for label, energy in _line_energies(spectra).items():
        nearest = int(np.argmin(np.abs(axis.axis - energy)))
        near = slice(max(0, nearest - 3), nearest + 4)
        height = min(data[near].max(initial=0.0) + 0.03 * top, 0.76 * top)
        # A line that the phase does not have is labelled, but told apart.
        ax.annotate(
            label, (energy, height), ha="center", va="bottom", fontsize=7, rotation=90,
            color="k" if _stands_out(axis.axis, data, nearest) else "0.65",
        )  # fmt: skip


def _stands_out(energy, data, channel):
    """Tell whether a line's counts exceed by `PEAK` sigma the lowest on both sides."""
    step = abs(energy[1] - energy[0]) if energy.size > 1 else 0.01
    step = step if step < 0.5 else step / 1000.0  # an axis in eV
    half, reach = max(1, round(0.03 / step)), max(2, round(0.2 / step))
    sums = np.convolve(data, np.ones(2 * half + 1), mode="same")
    left = sums[max(0, channel - reach) : channel + 1].min()
    right = sums[channel : channel + reach + 1].min()
    beside = (left + right) / 2
    return sums[channel] - beside > PEAK * np.sqrt(max(sums[channel] + beside / 2, 1.0))


def _draw_band(ax, result, index):
    spectra, color = result.spectra, phase_color(index)
    energy = spectra.axes_manager.signal_axes[0]
    found, low, high = (
        np.atleast_2d(s.data)[index] for s in (spectra, result.spectra_low, result.spectra_high)
    )
    ax.fill_between(energy.axis, low, high, step="mid", color=color, alpha=0.35, linewidth=0)
    ax.step(energy.axis, found, where="mid", color=color, linewidth=0.8)
    visible = energy.axis > ZERO_PEAK * _KEV.get(str(energy.units), 1.0)
    # Where a phase hardly has counts, its band is far higher than its spectrum.
    top = 1.4 * max(found[visible].max(initial=0.0), high[visible].max(initial=0.0), 1e-9)
    ax.set(ylim=(0, top), xlim=(energy.axis[0], _last_line(spectra, energy)), ylabel="Counts")
    _label_lines(ax, spectra, high, top)


def _draw_intervals(ax, result, index):
    total = max(result.counts.sum(), 1e-300)
    rows = {"counts": (100 * result.counts / total, 100 * result.counts_band / total)}
    for element, found in result.compositions.items():
        rows[element] = found, result.compositions_band[element]
    for y, (found, band) in enumerate(rows.values()):
        color = phase_color(index)
        ax.plot(band[index], (y, y), color=color, alpha=0.35, linewidth=7, solid_capstyle="butt")
        ax.plot(found[index], y, "o", color=color, markersize=4)
    ax.set_yticks(range(len(rows)), [k if k == "counts" else f"{k} (at%)" for k in rows])
    ax.set(xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5))


def _draw_residual_map(ax, residuals, label):
    axes, data = residuals.axes_manager.signal_axes, residuals.data
    ax.set_xlabel(axis_label(axes[0]))
    if data.ndim == 1:
        ax.axhline(1, color="0.6", linewidth=0.8)
        ax.plot(axes[0].axis, data, color="k", linewidth=0.9)
        ax.set_ylabel(label)
        return
    if data.ndim > 2:
        leading = tuple(range(data.ndim - 2))
        filled = np.isfinite(data).sum(axis=leading)
        data = np.nansum(data, axis=leading) / np.where(filled, filled, np.nan)
    far = np.abs(data[np.isfinite(data)] - 1)
    half = max(np.percentile(far, 99.5) if far.size else 0.0, 1e-3)
    extent = (*axis_edges(axes[0]), *axis_edges(axes[1])[::-1])
    image = ax.imshow(
        data, cmap="RdBu_r", extent=extent, vmin=1 - half, vmax=1 + half, interpolation="nearest"
    )
    ax.set_ylabel(axis_label(axes[1]))
    ax.figure.colorbar(image, ax=ax, label=label)


def _draw_residual_spectrum(ax, spectrum, label):
    data = np.ravel(spectrum.data)
    finite = data[np.isfinite(data)]
    middle = np.median(finite) if finite.size else 1.0
    # Outliers must not hide themselves: the median of deviations, not their mean.
    spread = 1.4826 * np.median(np.abs(finite - middle)) if finite.size else 0.0
    ax.axhline(1, color="0.6", linewidth=0.8)
    _draw_outliers(ax, spectrum, label, middle + STANDS_OUT * spread)


def _draw_binned_residuals(ax, spectrum):
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.axhline(TOLD, color="0.6", linewidth=0.8, linestyle="--")
    _draw_outliers(ax, spectrum, "Standard deviations above noise", TOLD)
    _label_unknown_peaks(ax, spectrum, TOLD)


def _label_unknown_peaks(ax, spectrum, limit):
    """Write the energy where a spectrum is above a limit and no line of the sample is near."""
    energy = spectrum.axes_manager.signal_axes[0]
    if str(energy.units) not in _KEV:
        return
    near = NEAR * _KEV[str(energy.units)]
    left = np.nan_to_num(np.ravel(spectrum.data))
    for line in _line_energies(spectrum).values():
        left = np.where(np.abs(energy.axis - line) < near, 0.0, left)
    while left.max(initial=0.0) > limit:
        # Channels of a sum have one value: its middle.
        at = energy.axis[left == left.max()].mean(), left.max()
        words = f"{at[0] / _KEV[str(energy.units)]:.2f} keV"
        ax.annotate(words, at, ha="center", va="bottom", fontsize=7, rotation=90)
        left = np.where(np.abs(energy.axis - at[0]) < 3 * near, 0.0, left)


def _draw_outliers(ax, spectrum, label, limit):
    """Draw a spectrum and name the lines where it is above a limit."""
    energy, data = spectrum.axes_manager.signal_axes[0], np.ravel(spectrum.data)
    ax.step(energy.axis, data, where="mid", color="k", linewidth=0.7)
    ax.set(xlim=(energy.axis[0], energy.axis[-1]), ylabel=label, xlabel=axis_label(energy))
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top + 0.15 * (top - bottom))  # room for labels
    for name, line in _line_energies(spectrum).items():
        nearest = int(np.argmin(np.abs(energy.axis - line)))
        peak = np.nan_to_num(data[max(0, nearest - 3) : nearest + 4]).max(initial=0.0)
        if peak > limit:
            ax.annotate(name, (line, peak), ha="center", va="bottom", fontsize=7, rotation=90)
