# SPDX-License-Identifier: GPL-3.0-or-later
"""Unlisted elements and peaks, as numbers and in a sentence."""

from dataclasses import dataclass

from hyperspy_psnmf.eds.xray.lines import element_of

ELEMENT, SUM_PEAK, ESCAPE_PEAK, UNKNOWN = "element", "sum peak", "escape peak", "unknown peak"


@dataclass(frozen=True)
class Unlisted:
    """An element that is in the spectra without being listed, or a peak of no element.

    Attributes
    ----------
    kind : {"element", "sum peak", "escape peak", "unknown peak"}
    energy : float
        Of the peak, or of an element's strongest line, in keV.
    counts : float
        In that line or peak, in all phases together.
    element, line : str
        Symbol of an element and its strongest line; empty for peaks of no element.
    cause : tuple of str
        The lines that a sum or escape peak comes from.
    rivals : tuple of str
        Elements that explain the peak nearly as well.
    """

    kind: str
    energy: float
    counts: float = 0.0
    element: str = ""
    line: str = ""
    cause: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()

    def families_in(self, model) -> list[int]:
        """Return which lines of a `LineModel` belong to the element, or are the peak."""
        own = self.element or f"{self.energy:.3f} keV"
        return [i for i, line in enumerate(model.lines) if own in (line, element_of(line))]

    def __str__(self):
        if self.kind == ELEMENT:
            return self.element
        what = f"{self.energy:.3f} keV"
        if self.kind == SUM_PEAK:
            what += f" = the sum peak of {' and '.join(self.cause)}"
        elif self.kind == ESCAPE_PEAK:
            what += f" = the escape peak of {self.cause[0]}"
        return ", or ".join([what, *self.rivals])


def lines_of_elements(unlisted) -> dict[str, str]:
    """Return {element: strongest line} of the unlisted elements."""
    return {one.element: one.line for one in unlisted if one.kind == ELEMENT}


def describe_unlisted(unlisted) -> str:
    """Return a sentence on what was fitted besides the elements listed."""
    symbols = [one.element for one in unlisted if one.kind == ELEMENT]
    peaks = [one for one in unlisted if one.kind != ELEMENT]
    what = [f"{one} ({one.counts:.0f} counts in {one.line})" for one in unlisted if one.element]
    what += [f"{_describe_peak(one)} ({one.counts:.0f} counts)" for one in peaks]
    call = f"; s.add_elements({symbols}) lists them, or exclude= in quantify()" if symbols else ""
    return (
        f"in the spectra, but not in s.metadata.Sample.elements: {', '.join(what)}. Fitted with "
        f"the others, so that lines nearby are measured correctly, but not reported{call}"
    )


def _describe_peak(one):
    if one.kind == UNKNOWN:
        return f"a peak of no known element at {one}"
    energy, _, cause = str(one).partition(" = ")
    return f"a peak at {energy} that is likely {cause}"
