# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures in pyplot, and figures off screen for widgets."""

from contextlib import contextmanager
from contextvars import ContextVar

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

_off_screen: ContextVar[bool] = ContextVar("psnmf_off_screen", default=False)


@contextmanager
def off_screen():
    """Keep figures of this thread from pyplot, which opens windows for its own.

    In notebooks it also draws and closes them, whenever a message of a widget has been
    handled, in whichever thread: half-finished ones too.
    """
    token = _off_screen.set(True)
    try:
        yield
    finally:
        _off_screen.reset(token)


def subplots(n_rows=1, n_columns=1, *, figsize, layout=None, **options):
    """Return a figure and its axes, as pyplot's function of this name does."""
    if not _off_screen.get():
        return plt.subplots(n_rows, n_columns, figsize=figsize, layout=layout, **options)
    figure = Figure(figsize=figsize, layout=layout)
    return figure, figure.subplots(n_rows, n_columns, **options)
