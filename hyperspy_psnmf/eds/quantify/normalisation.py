# SPDX-License-Identifier: GPL-3.0-or-later
"""What a composition is normalised to, and which elements of a phase are not in it.

Ratios of intensities sum to 100 % of the elements that have a factor, whatever else a
phase contains: an oxide quantified with factors of two metals reads as an alloy of them.
"""

import numpy as np

from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.lines.intensities import net_intensities
from hyperspy_psnmf.eds.lines.measurable_lines import name_some
from hyperspy_psnmf.eds.phase_map.regions import Regions
from hyperspy_psnmf.eds.unlisted.found import lines_of_elements
from hyperspy_psnmf.eds.xray.lines import element_of

SIGNIFICANT = 5.0  # standard errors
NEARLY_ALL = 99.0  # per cent
MIN_FRACTION = 0.01  # of the net counts in all lines of a phase


def find_not_quantified(
    decomposed: Decomposed, measured, elements, regions: Regions | None = None
) -> tuple[tuple[str, ...], ...]:
    """Return the unlisted elements of each phase's spectrum, strongest first.

    Parameters
    ----------
    decomposed : Decomposed
    measured : LineIntensities
        Of the lines to quantify in the phases, by the model.
    elements : iterable of str
        Elements fitted in `measured` besides those of its lines.
    regions : Regions, optional
        To return those in each region.
    """
    lines = lines_of_elements(measured.unlisted)
    if not lines:
        return ((),) * len(measured.net if regions is None else regions.names)
    # Without warnings: all has been warned of with `measured`.
    everything = net_intensities(
        decomposed, [*measured.lines, *lines.values()], elements={*elements, *lines}
    )
    if regions is not None:
        everything = regions.intensities(decomposed, everything)
    total = np.maximum(everything.net, 0.0).sum(axis=1, keepdims=True)
    net, sigma = (of[:, len(measured.lines) :] for of in (everything.net, everything.sigma))
    significant = (net > SIGNIFICANT * sigma) & (net > MIN_FRACTION * total)
    symbols = np.array(list(lines))
    return tuple(
        tuple(str(symbols[i]) for i in np.argsort(-counts) if found[i])
        for counts, found in zip(net, significant, strict=True)
    )


def describe_normalisation(measured, listed, method, values, detected, not_quantified):
    """Yield notes on the elements that sum to 100 %, and on other elements.

    Parameters
    ----------
    measured : LineIntensities
        Of the lines quantified.
    listed : iterable of str
        All elements listed, those left out too.
    method : {"model", "windows"}
        How lines were measured.
    values : ndarray of shape (n_phases, n_elements)
        Per cent; NaN in phases that have no composition.
    detected : ndarray of bool, of shape (n_phases, n_elements)
    not_quantified : tuple of tuple of str
        From `find_not_quantified`.
    """
    names = measured.spectra.metadata.Phases.names
    elements = [element_of(line) for line in measured.lines]
    left_out = name_some(sorted(set(listed) - set(elements)))
    besides = "; ".join(
        f"{name}: {', '.join(others)}"
        for name, others, of_phase in zip(names, not_quantified, values, strict=True)
        if others and np.isfinite(of_phase).all()
    )
    yield (
        f"normalised to {' + '.join(elements)}, whatever else a phase contains"
        + (f" (left out: {left_out})" if left_out else "")
        + (f". Significant in the spectra, but not quantified: {besides}" if besides else "")
        + (". Windows are not searched for other elements" if method == "windows" else "")
    )
    nearly_all = np.nan_to_num(values).max(axis=1) > NEARLY_ALL
    alone = np.flatnonzero(nearly_all & (detected.sum(axis=1) == 1))
    if alone.size:
        which = ", ".join(f"{elements[np.argmax(detected[i])]} in {names[i]}" for i in alone)
        yield (
            f"the only element detected of those quantified: {which}. Its 100 % follow "
            "from the normalisation and do not mean that the phase is pure"
        )
