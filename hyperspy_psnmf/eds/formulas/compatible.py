# SPDX-License-Identifier: GPL-3.0-or-later
r"""Formulas that compositions are compatible with, by :math:`\chi^2`.

Of m sites with the atomic per cent t in the formula, and the sums x of their elements found,

.. math:: \chi^2 = \frac{m - 1}{m} \sum_s (x_s - t_s)^2 / \sigma_s^2,

with m - 1 degrees of freedom: atomic per cents sum to 100, so that the deviations of the sites are
not independent, and of two sites are the same. Proportions on a site are free. Minor elements may
be missing from a formula; the others are normalised to 100 % then. As the missing ones may be on
any site, :math:`x^2 / 3` of each is added to the variances: the mean square of 0 to x.

Formulas are in the order of Akaike's criterion, :math:`\chi^2` plus 2 for each free proportion and
each missing element, rounded; among those that are alike, that of fewest atoms is first.
"""

from dataclasses import dataclass

import numpy as np
from prettytable import PrettyTable
from scipy.special import chdtrc

from hyperspy_psnmf.eds.files.tables import data_frame
from hyperspy_psnmf.eds.formulas.candidates import Formula, build_formulas

MINOR = 3.0  # at%; elements below may be missing from a formula, as substituting or stray ones
MAX_ELEMENTS = 7  # the largest ones; others are minor
LEAST_SIGMA = 0.01  # at%
LEAST_P = 0.01  # of what is compatible
N_LISTED = 4  # for each phase


@dataclass(frozen=True)
class Match:
    """How far a composition is from a formula.

    Attributes
    ----------
    formula : Formula
    chi2 : float
        Sum of the squared deviations of the contents, in standard errors.
    degrees : int
        Of freedom. 0 for the only element found, which is no test.
    missing : tuple of str
        Minor elements that are not in the formula.
    """

    formula: Formula
    chi2: float
    degrees: int
    missing: tuple[str, ...]

    @property
    def p(self) -> float:
        """Probability of as large a deviation by the standard errors; NaN without a test."""
        return float(chdtrc(self.degrees, self.chi2)) if self.degrees else float("nan")

    @property
    def reduced(self) -> float:
        """Chi-squared per degree of freedom; NaN without a test."""
        return self.chi2 / self.degrees if self.degrees else float("nan")

    @property
    def is_compatible(self) -> bool:
        """Whether the formula is not rejected."""
        return not self.p < LEAST_P

    def cost(self) -> tuple:
        """Return what formulas are sorted by."""
        n_free = sum(len(elements) - 1 for elements, _ in self.formula.sites)
        criterion = self.chi2 + 2 * (n_free + len(self.missing))
        return round(criterion), self.formula.n_atoms, criterion


@dataclass(frozen=True, eq=False)
class Formulas:
    """Formulas for each phase; none of them is asserted.

    Attributes
    ----------
    of : {"Phase", "Region"}
    names : list of str
    matches : list of list of Match
        Of each phase, the compatible ones, or the nearest one where none is; empty where there is
        no composition, or no formula of its elements.
    not_quantified : list of str
        Elements in the spectrum of each phase that the composition lacks.
    """

    of: str
    names: list[str]
    matches: list[list[Match]]
    not_quantified: list[str]

    def table(self) -> PrettyTable:
        """Return the formulas with chi-squared per degree of freedom and p, one row each."""
        table = PrettyTable()
        table.title = (
            "Formulas compatible with the compositions within standard errors; others may be, too"
        )
        table.field_names = [self.of, "Compatible with", "chi2/dof", "p", "Not in the formula"]
        table.align = "l"
        for row in self.rows():
            shown = row["formula"] or "none"
            if row["formula"] and not row["compatible"]:
                shown = f"none; nearest is {shown}"
            numbers = (
                "" if np.isnan(row[name]) else f"{row[name]:.2g}" for name in ("chi2_per_dof", "p")
            )
            table.add_row([row[self.of.lower()], shown, *numbers, row["not_in_formula"]])
        return table

    def rows(self) -> list[dict]:
        """Return one dict per phase and formula, the likeliest first."""
        return [
            self._row(name, match, besides)
            for name, matches, besides in zip(
                self.names, self.matches, self.not_quantified, strict=True
            )
            for match in matches or [None]
        ]

    def _row(self, name, match, besides):
        missing = [] if match is None else list(match.missing)
        missing += [f"{besides} (not quantified)"] if besides else []
        return {
            self.of.lower(): name,
            "formula": "" if match is None else str(match.formula),
            "compatible": match is not None and match.is_compatible,
            "chi2_per_dof": float("nan") if match is None else match.reduced,
            "dof": 0 if match is None else match.degrees,
            "p": float("nan") if match is None else match.p,
            "not_in_formula": ", ".join(missing),
        }

    def to_dataframe(self):
        """Return `rows` as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return data_frame(self.rows())

    def __repr__(self):
        return str(self.table())


def match_formulas(elements: list[str], percent: np.ndarray, sigma: np.ndarray) -> list[Match]:
    """Return the formulas that a composition is compatible with, or the nearest one.

    Parameters
    ----------
    elements : list of str
        That were detected.
    percent, sigma : ndarray of shape (n_elements,)
        Atomic per cent and standard errors.
    """
    if not np.isfinite(percent).all():
        return []
    order = np.argsort(-percent)
    found = {elements[i]: (percent[i], max(sigma[i], LEAST_SIGMA)) for i in order}
    minor = {e for i, (e, (x, _)) in enumerate(found.items()) if x < MINOR or i >= MAX_ELEMENTS}
    built = build_formulas(list(found)[:MAX_ELEMENTS], minor)
    matches = sorted((_match(formula, found) for formula in built), key=Match.cost)
    compatible = [match for match in matches if match.is_compatible]
    return compatible[:N_LISTED] or sorted(matches, key=lambda match: match.reduced)[:1]


def _match(formula, found):
    used = [element for elements, _ in formula.sites for element in elements]
    missing = tuple(element for element in found if element not in used)
    total = sum(found[element][0] for element in used)
    of_missing = sum((found[element][0] * 100.0 / total) ** 2 / 3 for element in missing)
    m, chi_squared = len(formula.sites), 0.0
    for elements, n in formula.sites:
        values = np.array([found[element] for element in elements]) * 100.0 / total
        difference = values[:, 0].sum() - 100.0 * n / formula.n_atoms
        chi_squared += difference**2 / ((values[:, 1] ** 2).sum() + of_missing)
    return Match(formula, float((m - 1) / m * chi_squared), m - 1, missing)
