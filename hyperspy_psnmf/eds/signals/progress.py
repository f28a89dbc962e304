# SPDX-License-Identifier: GPL-3.0-or-later
"""HyperSpy's progress bar, where the user wants one, and listeners, which can end a run.

What runs in a background thread is followed, and cancelled, by a listener::

    with listening(callback):
        decompose(signal, settings)

The callback gets the name of the step, the iteration and its KKT residual. What it raises
ends the run, and the signal stays as it was.
"""

import math
import threading
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

import hyperspy
from hyperspy.api import preferences

from hyperspy_psnmf._compat import progress_bar_of
from hyperspy_psnmf.kernels._compile import on_compilation
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks
from hyperspy_psnmf.nmf.validation import Callback

progressbar = progress_bar_of(hyperspy)

# 16 to 18 s of processor time on two cores that were busy with other things, where it was 45 s when
# counts of each type had kernels of their own.
COMPILING = (
    "Kernels are compiled where they are needed for the first time: about 20 s in all, once "
    "after installation, as they are cached."
)

# Of a context, so that a run in one thread never reports its steps to the listener of another. Only
# kernels that one thread compiles are reported to all, none of which can end it by that.
_listener: ContextVar[Callback | None] = ContextVar("psnmf_listener", default=None)


@contextmanager
def listening(callback: Callback):
    """Report every step and iteration of this thread to `callback` while the context lasts.

    Weaknesses of a result are then in its record only: Python's warnings are global to the
    process, so those of a background thread would appear in other threads.
    """
    token = _listener.set(callback)
    try:
        yield
    finally:
        _listener.reset(token)


def has_listener() -> bool:
    """Return whether this thread has a listener."""
    return _listener.get() is not None


def with_listener(callback: Callback | None) -> Callback | None:
    """Return a callback that reports to the listener, if there is one, and to `callback`."""
    listener = _listener.get()
    if listener is None or callback is None:
        return listener or callback

    def report_to_both(step, iteration, residual):
        listener(step, iteration, residual)
        callback(step, iteration, residual)

    return report_to_both


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
def progress_of_steps(show, desc: str, total: int):
    """Yield a function to be called, from any thread, with the name of a step that has ended.

    The listener, if there is one, gets the name, too.

    Parameters
    ----------
    show : bool or None
        None is HyperSpy's preference.
    desc : str
        Of the bar.
    total : int
        Number of steps.
    """
    with progress_bar(show, desc=desc, unit=" steps", total=total) as bar:
        report = with_listener(None if bar is None else lambda *_: bar.update())
        lock = threading.Lock()

        def ended(step: str) -> None:
            with lock:
                report(step, 0, math.inf)

        yield (lambda step: None) if report is None else ended


@contextmanager
def announced_compilation(show: bool):
    """Print one line when the first kernel is compiled, which takes longer than small maps.

    Parameters
    ----------
    show : bool
        Whether to print anything.
    """
    lines = [COMPILING] if show else []

    def announce(_):
        if lines:
            print(lines.pop(), flush=True)  # noqa: T201 - part of `print_info`

    with on_compilation(announce):
        yield


@contextmanager
def progress_of_decomposition(show, X):
    """Yield a callback for the progress bar and the listener of a decomposition, or None.

    They are also called when a kernel is compiled, as nothing moves meanwhile. A listener that
    raises then ends the run at its next iteration or, if there is none, at the end of the context.

    Parameters
    ----------
    show : bool or None
        None is HyperSpy's preference.
    X : csr_array or CountBlocks
        Counts; the progress of blocks is reported one by one.
    """
    with progress_bar(show, desc="PSNMF", unit=" iterations") as bar:

        def callback(step, iteration, residual):
            bar.set_description_str(f"PSNMF, {step}", refresh=not iteration)
            if iteration:
                bar.set_postfix_str(f"KKT residual {residual:.1e}", refresh=False)
                bar.update()

        report = with_listener(None if bar is None else callback)
        if report is not None and isinstance(X, CountBlocks):
            X.notify = lambda n, n_blocks: report(f"block {n} of {n_blocks}", 0, math.inf)
        compiling = nullcontext()
        if report is not None:
            compiling = on_compilation(lambda name: report("compiling kernels", 0, math.inf))
        with compiling:
            yield report


class _Hiding:
    """The threads that hide progress bars, and the preference to restore."""

    def __init__(self):
        self.lock, self.threads, self.shown = threading.Lock(), 0, True


_hiding = _Hiding()


@contextmanager
def no_progress_bars():
    """Hide progress bars of internal calls of HyperSpy and eXSpy.

    The preference is global: of several threads, the last restores what the first found.
    """
    with _hiding.lock:
        if not _hiding.threads:
            _hiding.shown = preferences.General.show_progressbar
        _hiding.threads += 1
        preferences.General.show_progressbar = False
    try:
        yield
    finally:
        with _hiding.lock:
            _hiding.threads -= 1
            if not _hiding.threads:
                preferences.General.show_progressbar = _hiding.shown
