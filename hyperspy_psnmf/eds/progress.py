# SPDX-License-Identifier: GPL-3.0-or-later
"""HyperSpy's progress bar, where the user wants one."""

from contextlib import contextmanager

from hyperspy.defaults_parser import preferences
from hyperspy.external.progressbar import progressbar


@contextmanager
def progress_bar(show, **options):
    """Yield HyperSpy's progress bar, or None.

    Parameters
    ----------
    show : bool or None
        None is HyperSpy's preference.
    **options
        Of the bar: `desc`, `unit`, `total`.
    """
    show = preferences.General.show_progressbar if show is None else show
    if not show:
        yield None
        return
    with progressbar(**options) as bar:
        yield bar


@contextmanager
def no_progress_bars():
    """Keep bars of HyperSpy and eXSpy, that no user asked for, off the screen."""
    shown = preferences.General.show_progressbar
    preferences.General.show_progressbar = False
    try:
        yield
    finally:
        preferences.General.show_progressbar = shown
