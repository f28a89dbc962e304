# SPDX-License-Identifier: GPL-3.0-or-later
r"""Templates: the spectra of X-ray lines and of the continuum, of which those of phases are made.

.. math:: H = P G, \qquad P \ge 0

Some 30 to 60 numbers per phase take the place of thousands of channels, so that spectra are
determined from few counts. :math:`G` has a row for each family of lines, whose energies, widths
and ratios are fixed, and rows for the continuum, which every phase has.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hyperspy_psnmf.kernels.limits import TINY
from hyperspy_psnmf.nmf.binning.bins import sum_groups

LEAST = 1e-12  # of a template's counts in a channel, to explain any there


@dataclass(frozen=True, eq=False)
class Templates:
    """Templates of X-ray lines, followed by those of the continuum.

    Attributes
    ----------
    lines : ndarray of shape (n_lines, n_channels)
        Of unit sum. A phase has few of them.
    continuum : ndarray of shape (n_continuum, n_channels)
        Of unit sum: continuum, noise peak and whatever else every phase may have.
    elements : ndarray of int of shape (n_lines,)
        Number of the element of each line, from 0.
    names : tuple of str
        Of the elements, where they are known.
    """

    lines: np.ndarray
    continuum: np.ndarray
    elements: np.ndarray
    names: tuple[str, ...] = ()

    @cached_property
    def spectra(self) -> np.ndarray:
        """G, of shape (n_templates, n_channels)."""
        return np.vstack([self.lines, self.continuum])

    @property
    def n_elements(self) -> int:
        """Number of elements."""
        return int(self.elements.max(initial=-1)) + 1

    @property
    def is_line(self) -> np.ndarray:
        """Which templates are lines, of shape (n_templates,)."""
        return np.arange(len(self)) < len(self.lines)

    def __len__(self):
        return len(self.lines) + len(self.continuum)

    def binned(self, energy_binning: int) -> "Templates":
        """Return the same with channels summed, `energy_binning` at a time."""
        return self.grouped(np.arange(0, self.lines.shape[1], energy_binning))

    def grouped(self, first: np.ndarray) -> "Templates":
        """Return the same with groups of channels summed, given the first one of each."""
        lines, continuum = sum_groups(self.lines, first), sum_groups(self.continuum, first)
        return replace(self, lines=lines, continuum=continuum)

    def covering(self, counts: np.ndarray) -> "Templates":
        """Return the same with one more template for counts (n_channels,) where there is none.

        An expectation of zero would exclude a count.
        """
        rest = np.where(self.spectra.max(axis=0) > LEAST, 0.0, counts)
        if not rest.any():
            return self
        return replace(self, continuum=np.vstack([self.continuum, rest / rest.sum()]))

    def corrected(self, ratio: np.ndarray) -> "Templates":
        """Return the same times a ratio for each channel, of unit sum again."""
        lines, continuum = self.lines * ratio, self.continuum * ratio
        return replace(
            self,
            lines=lines / np.maximum(lines.sum(axis=1, keepdims=True), TINY),
            continuum=continuum / np.maximum(continuum.sum(axis=1, keepdims=True), TINY),
        )


def common_ratio(counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
    r"""Return by how much a detector's response deviates from the templates, in each channel.

    What templates miss (tails, incomplete charge collection) is nearly the same in all phases,
    and the sum of the map has all counts to show it. Empirical Bayes: deviations have a relative
    variance :math:`s^2` beyond counting noise, and are shrunk by :math:`\mu / (\mu + s^{-2})`.

    Parameters
    ----------
    counts, expected : ndarray of shape (n_channels,)
        Of the sum of the map.

    Returns
    -------
    ndarray of shape (n_channels,)
        1 where counting noise explains the deviations.
    """
    deviation = counts - expected
    variance = max((deviation**2 - expected).sum() / max((expected**2).sum(), TINY), 0.0)
    return 1.0 + deviation * variance / (1.0 + variance * expected)
