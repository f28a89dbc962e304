# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure of the held-out deviance against the number of phases."""

import numpy as np

from hyperspy_psnmf.eds.decompose.report import phases
from hyperspy_psnmf.plot.figure import subplots
from hyperspy_psnmf.plot.phases import phase_color

HEADROOM = 1.5  # of the axis, relative to the largest value from the best number on


def plot_number_of_components(result):
    """Plot the held-out deviance of every number of phases.

    Parameters
    ----------
    result : NumberOfComponents
        From ``s.psnmf.estimate_number_of_components()``.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
    """
    fig, ax = subplots(figsize=(5, 3.4), layout="constrained")
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.plot(result.numbers, result.differences, color="0.6", linewidth=0.8, zorder=1)
    ax.errorbar(
        result.numbers, result.differences, result.standard_errors, fmt="o", color="k", capsize=3
    )
    best = result.numbers.index(result.best)
    ax.plot(result.best, result.differences[best], "o", color=phase_color(0), markersize=10)
    ax.set(xlabel="Number of phases", ylabel="Held-out deviance above minimum")
    is_least = result.best == result.minimum
    ax.set_title(phases(result.best) + ("" if is_least else f", minimum at {result.minimum}"))
    ax.set_xticks(result.numbers)
    _look_near_the_minimum(ax, result)
    return fig, ax


def _look_near_the_minimum(ax, result):
    """Limit the axis to the range near the minimum; triangles show the values beyond it.

    Too few phases cost thousands of units of deviance, too many tens.
    """
    others = np.array(result.numbers) >= result.best
    top = HEADROOM * (result.differences + result.standard_errors)[others].max()
    if top <= 0:
        return
    ax.set_ylim(-0.1 * top, top)
    for number, difference in zip(result.numbers, result.differences, strict=True):
        if difference > top:
            ax.plot(number, 0.97 * top, "^", color="0.4", markersize=6)
            ax.annotate(
                f"{difference:.0f}", (number, 0.93 * top), ha="center", va="top", fontsize=7,
                rotation=90, color="0.4",
            )  # fmt: skip
