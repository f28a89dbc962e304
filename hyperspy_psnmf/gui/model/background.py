# SPDX-License-Identifier: GPL-3.0-or-later
"""A decomposition in a background thread, with progress and cancellation.

The duration of a run cannot be predicted, so the progress is estimated from its steps, each
with the fraction of the time that it takes on typical maps, and within a step from the
logarithm of the KKT residual relative to the tolerance, or from the number of calls.
"""

import math
import threading
import time

from hyperspy_psnmf.eds.decompose.n_phases import STEP as NUMBER
from hyperspy_psnmf.eds.lines.templates import STEP as LINES
from hyperspy_psnmf.eds.signals.progress import listening

# Relative durations, measured on phantoms of 64 x 64 to 128 x 128 pixels.
_DURATIONS = {
    "read": 0.15,
    NUMBER: 1.6,
    "binning": 0.30,
    "bin": 0.05,
    "binned map": 0.30,
    "parsimony": 0.12,
    "full resolution": 0.05,
    "neighbours": 0.05,
}
# Of runs with spectra made of lines, which are fitted first.
_DURATIONS_OF_LINES = {
    "read": 0.15,
    LINES: 0.3,
    NUMBER: 1.6,
    "binning": 0.30,
    "bin": 0.05,
    "binned map": 4.0,
    "channels": 0.15,
    "full resolution": 0.05,
    "neighbours": 0.05,
}
_TOLERANCE = 1e-5  # the default of `decompose`
# Of steps without a residual, as "binned map" with lines: 63 % of the step is done then.
_TYPICAL_CALLS = {NUMBER: 40.0, "binned map": 150.0}
_DEFAULT_CALLS = 3.0
_MIN_FRACTION = 0.1  # of a run; the remaining time is not estimated before


class Cancelled(Exception):
    """Raised inside a run to end it."""


class Progress:
    """Progress of a run; a callback for `listening`.

    Parameters
    ----------
    skipped : iterable of str
        Steps that this run does not have.

    Attributes
    ----------
    step : str
    fraction : float
        From 0 to 1; it never goes back.
    """

    def __init__(self, skipped=()):
        self.step = self._stage = "read"
        self.fraction, self._calls = 0.0, 0
        self._skipped = skipped
        self._spans = self._plan(_DURATIONS)

    def __call__(self, step, iteration, residual):
        """Note a step or an iteration of it."""
        if step == LINES:
            self._spans = self._plan(_DURATIONS_OF_LINES)
        if step not in self._spans:  # a part of one, as the blocks of a large map
            self.step = f"{self._stage}, {step}"
            return
        self._calls = self._calls + 1 if step == self._stage else 1
        self.step = self._stage = step
        start, length = self._spans[step]
        self.fraction = max(self.fraction, start + length * self._within(residual))

    def _plan(self, durations):
        """Return when each step begins and how long it takes, as fractions of the run."""
        durations = {step: t for step, t in durations.items() if step not in self._skipped}
        total, before, spans = sum(durations.values()), 0.0, {}
        for step, duration in durations.items():
            spans[step] = (before / total, duration / total)
            before += duration
        return spans

    def _within(self, residual):
        if 0 < residual < math.inf:
            return min(1.0, max(0.0, math.log(residual) / math.log(_TOLERANCE)))
        return 1 - math.exp(-(self._calls - 1) / _TYPICAL_CALLS.get(self._stage, _DEFAULT_CALLS))


class BackgroundRun:
    """Runs a task in a thread of its own.

    Parameters
    ----------
    task : callable
        Without arguments. Its result is stored in `result`, an exception in `error`.
    skipped : iterable of str
        Steps that it does not have.

    Attributes
    ----------
    result : object or None
    error : Exception or None
        `Cancelled` after a cancel, even where the task had no chance to notice.
    """

    def __init__(self, task, skipped=()):
        self.result = self.error = None
        self._task, self._progress = task, Progress(skipped)
        self._cancel = threading.Event()
        self._began = time.monotonic()
        # A daemon, so that Python can exit during a run.
        self._thread = threading.Thread(target=self._run, daemon=True, name="psnmf-run")
        self._thread.start()

    def cancel(self) -> None:
        """End the run at its next iteration."""
        self._cancel.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most for `seconds`; return whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def state(self) -> dict:
        """Return `step`, `fraction`, and `elapsed` and `remaining` time in seconds.

        The remaining time is NaN early in a run.
        """
        elapsed, done = time.monotonic() - self._began, self._progress.fraction
        remaining = elapsed * (1 - done) / done if done > _MIN_FRACTION else math.nan
        return {
            "step": self._progress.step,
            "fraction": done,
            "elapsed": elapsed,
            "remaining": remaining,
        }

    def _listen(self, step, iteration, residual):
        if self._cancel.is_set():
            raise Cancelled
        self._progress(step, iteration, residual)

    def _run(self):
        try:
            with listening(self._listen):
                self.result = self._task()
            if self._cancel.is_set():
                raise Cancelled
        except Exception as error:
            self.result, self.error = None, error
