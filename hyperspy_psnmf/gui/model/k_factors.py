# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of k-factors, with computed ones until others are entered."""

from traits.api import Bool, Float, HasTraits, Property, Str, Tuple

from hyperspy_psnmf.eds.quantify.complete_factors import COMPUTED
from hyperspy_psnmf.eds.quantify.computed_factors import computed_factor
from hyperspy_psnmf.eds.quantify.options import resolve_method
from hyperspy_psnmf.eds.signals.metadata import find_beam_energy, sample_lines

NONE = (0.0, 0.0)


class LineFactor(HasTraits):
    """A row of the table of k-factors.

    Attributes
    ----------
    line : str
        An X-ray line.
    value, sigma : float
        The factor and its standard error; 0 is none.
    computed : tuple of float
        The same, from ionisation cross sections.
    is_computed : bool
        Whether the former are the latter.
    in_specimen : bool
        False leaves the element out of the composition.
    """

    line = Str()
    value = Float(0.0)
    sigma = Float(0.0)
    computed = Tuple(NONE)
    is_computed = Property(Bool, observe="value, sigma, computed")
    in_specimen = Bool(True)

    def _get_is_computed(self):
        return self.computed != NONE and (self.value, self.sigma) == self.computed

    def take_computed(self, factor: tuple[float, float]) -> None:
        """Take a computed factor, unless another one was entered."""
        if self.is_computed or self.value == 0.0:
            self.value, self.sigma = factor
        self.computed = factor

    def factor(self) -> tuple[float, float] | str:
        """Return the factor as `quantify` takes it."""
        return COMPUTED if self.is_computed else (self.value, self.sigma)


def update_rows(rows: list[LineFactor], signal) -> list[LineFactor]:
    """Return a row for each X-ray line of the specimen, those that were there among them."""
    there, found = {row.line: row for row in rows}, []
    for line in sample_lines(signal):
        row = there.get(line) or LineFactor(line=line, value=_of_phantom(signal, line))
        row.take_computed(_compute(signal, line))
        found.append(row)
    return found


def describe_computed(rows: list[LineFactor]) -> str:
    """Return which factors of the table are computed, or nothing."""
    lines = [row.line for row in rows if row.is_computed]
    if not lines:
        return ""
    others = "" if len(lines) == len(rows) else ", and are scaled to those entered"
    return (
        f"k-factors of {', '.join(lines)} are computed, relative to Si Kα{others}. "
        "Measured ones are better: enter them instead."
    )


def _of_phantom(signal, line):
    true = signal.metadata.get_item(f"Truth.k_factors.{line}")
    return 0.0 if true is None else float(f"{true:.4g}")


def _compute(signal, line):
    """Return the k-factor of a line of a thin specimen and its error, if it can be computed."""
    beam_energy = find_beam_energy(signal)
    if beam_energy is None or resolve_method(signal, None) != "CL":
        return NONE
    value, sigma = computed_factor(line, beam_energy) or NONE
    return float(f"{value:.3g}"), float(f"{sigma:.2g}")
