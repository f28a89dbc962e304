# SPDX-License-Identifier: GPL-3.0-or-later
"""The divergence over processor time, until a method has converged or its time is over."""

import time

from hyperspy_psnmf.kernels.likelihood import divergence

# Stop where so many iterations running bring less than this. A sum over millions of counts
# has rounding errors of some 1e-8 nats.
N_STALLED, MIN_DECREASE = 50, 1e-6  # nats


class Finished(Exception):
    """Ends a method."""


class Trace:
    """What a method reached after each iteration.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_channels)
        Counts.
    seconds : float
        Processor time that the method has.

    Attributes
    ----------
    times : list of float
        Processor seconds at the end of each iteration.
    losses : list of float
        Divergences, in nats.
    """

    def __init__(self, X, seconds: float):
        self.X, self.limit = X, seconds
        self.times, self.losses = [], []
        self._begin = time.process_time()

    @classmethod
    def of(cls, method, X, W, B, *, seconds: float):
        """Run a method, called with X, W, B and its trace, to the end."""
        trace = cls(X, seconds)
        try:
            method(X, W, B, trace)
        except Finished:
            return trace
        raise RuntimeError(f"{method.__name__} ended by itself")

    def note(self, loss: float) -> None:
        """Add an iteration at whose end the divergence is known to the method."""
        self.times.append(time.process_time() - self._begin)
        self.losses.append(loss)
        if self.seconds >= self.limit or self._is_stalled():
            raise Finished

    def evaluate(self, W, B) -> None:
        """Add an iteration of a method that does not need the divergence; it takes no time."""
        paused = time.process_time()
        loss = divergence(self.X, W, B)
        self._begin += time.process_time() - paused
        self.note(loss)

    def _is_stalled(self) -> bool:
        if self.n_iter <= N_STALLED:
            return False
        return min(self.losses[:-N_STALLED]) - min(self.losses[-N_STALLED:]) < MIN_DECREASE

    def time_to(self, level: float) -> float | None:
        """Return when the divergence was first that low; None if it never was."""
        pairs = zip(self.times, self.losses, strict=True)
        return next((time for time, loss in pairs if loss <= level), None)

    @property
    def lowest(self) -> float:
        """The lowest divergence, in nats."""
        return min(self.losses)

    @property
    def n_iter(self) -> int:
        """The number of iterations."""
        return len(self.times)

    @property
    def seconds(self) -> float:
        """Processor time that was taken."""
        return self.times[-1]
