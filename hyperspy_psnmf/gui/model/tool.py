# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of the widget: everything but how it looks.

Views, in `hyperspy_psnmf.gui`, link its traits and call its actions. Actions raise
nothing: what goes wrong is `message`.
"""

import math
import threading

from hyperspy.ui_registry import add_gui_method
from traits.api import Any, Bool, Enum, Float, Property, Str, observe

from hyperspy_psnmf.eds.decompose.decompose import decompose
from hyperspy_psnmf.eds.decompose.n_phases import STEP as NUMBER
from hyperspy_psnmf.eds.decompose.settings import Settings
from hyperspy_psnmf.gui.model.background import BackgroundRun, Cancelled
from hyperspy_psnmf.gui.model.messages import action
from hyperspy_psnmf.gui.model.results import ToolResults
from hyperspy_psnmf.gui.model.settings import stand_in

TOOLKEY = "hyperspy_psnmf.PSNMF"
INTERVAL = 0.2  # s, between two looks at a run
RUN_ACTIVE = "a run is active: cancel it first"

_ENDS = {"ready": "", "done": "Done in {}.", "cancelled": "Cancelled after {}.",
         "failed": "Failed after {}."}  # fmt: skip


@add_gui_method(toolkey=TOOLKEY)
class PSNMFTool(ToolResults):
    """Choose, run, judge, quantify and export a PSNMF decomposition.

    Parameters
    ----------
    signal : EDSSpectrum, optional
        The map; without one, a file is to be opened.

    Attributes
    ----------
    state : {"ready", "running", "done", "cancelled", "failed"}
        Traits of a run are set in a thread of their own: views have to hand them over to theirs.
    step : str
        What a run is doing.
    fraction : float
        How far it is, from 0 to 1.
    elapsed, remaining : float
        In seconds. The latter is an estimate, NaN at first.
    store_when_done : bool
        Store the result in the signal, as ``s.decomposition()`` does.

    Examples
    --------
    >>> from hyperspy_psnmf import data
    >>> tool = PSNMFTool(data.mineral_grains(shape=(16, 16), n_channels=300))
    >>> tool.run()
    >>> tool.wait()
    'done'
    """

    state = Enum("ready", "running", "done", "cancelled", "failed")
    is_running = Property(Bool, observe="state")
    step = Str()
    fraction = Float(0.0)
    elapsed = Float(0.0)
    remaining = Float(float("nan"))
    store_when_done = Bool(True, label="Store in the signal when done")

    status = Property(Str, observe="state, step, elapsed, remaining", desc="all this in words")

    _run = Any()
    _watch = Any()

    def __init__(self, signal=None, **traits):
        super().__init__(**traits)
        if signal is not None:
            self.signal = signal

    def _get_is_running(self):
        return self.state == "running"

    def _get_status(self):
        if not self.is_running:
            return _ENDS[self.state].format(time_text(self.elapsed))
        parts = [f"{time_text(self.elapsed)} elapsed"]
        if not math.isnan(self.remaining):
            parts.append(f"about {time_text(self.remaining)} to go")
        return f"{self.step}: {', '.join(parts)}"

    @observe("signal")
    def _give_up(self, event):
        # Its result is not wanted; `_finish` drops it if the run ends before it notices.
        self.cancel()

    @action
    def open(self) -> None:
        """Read the map in the file named."""
        if self.is_running:
            raise RuntimeError(RUN_ACTIVE)
        self.read_file()

    @action
    def run(self) -> None:
        """Decompose in the background; the signal is not changed before the end."""
        if self.is_running:
            raise RuntimeError(RUN_ACTIVE)
        signal = self.require_signal()
        trial = stand_in(signal, self.elements)
        options = self.arguments()

        def task():
            decompose(trial, Settings(print_info=False, show_progressbar=False, **options))
            return trial

        skipped = [] if self.estimate_number else [NUMBER]
        skipped += [] if self.auto_binning else ["binning"]
        skipped += [] if self.parsimony else ["parsimony"]
        self.trait_set(fraction=0.0, elapsed=0.0, remaining=float("nan"), step="read")
        self.state, self._map = "running", signal
        self._run = BackgroundRun(task, skipped)
        self._watch = threading.Thread(target=self._follow, daemon=True, name="psnmf-watch")
        self._watch.start()

    def cancel(self) -> None:
        """Cancel the run; the signal and an earlier result are unchanged."""
        if self.is_running:
            self._run.cancel()

    def wait(self, timeout: float | None = None) -> str:
        """Wait for the end of the run and return the state."""
        if self._watch is not None:
            self._watch.join(timeout)
        return self.state

    def _follow(self):
        """Show the progress of the run, until its end."""
        while not self._run.wait(INTERVAL):
            self.trait_set(**self._run.state())
        self.trait_set(elapsed=self._run.state()["elapsed"], remaining=0.0)
        self.state = self._finish(self._run)

    def _finish(self, run):
        """Store the result; return the new state."""
        try:
            if run.error is not None:
                raise run.error
            self.require_same_map()
            self.trait_set(fraction=1.0, is_stored=False, result=run.result)
            if self.store_when_done:
                self._store(run.result)
            self.show_message(" ".join(self.notes()))
            self.require_same_map()
        except Exception as error:  # of any kind: the tool must stay usable
            # Another map may be opened at any time, as this is a thread of its own.
            is_same = self.signal is self._map
            if not is_same:
                self.trait_set(result=None, is_stored=False)
            if is_same and not isinstance(error, Cancelled):
                self.show_error(error)
                return "failed"
            self.show_message("Cancelled; the signal is unchanged.")
            return "cancelled"
        return "done"


def time_text(seconds: float) -> str:
    """Return a time as in "0.7 s", "12 s" or "2 min 05 s"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
