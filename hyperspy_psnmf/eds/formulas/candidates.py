# SPDX-License-Identifier: GPL-3.0-or-later
"""Stoichiometric formulas built from elements, by charge balance and small integers.

There is no database. Built are elements, binary compounds and alloys of small integers (FePt,
Fe3C, FeS2, SiC), and compounds of one anion with one or two cation sites whose charges balance
(MgO, Al2O3, SrTiO3, Mg2SiO4, MgAl2O4). Elements of the same charge may be on one site, as in
(Mg,Fe)2SiO4, and one element of two charges on both, as in Fe3O4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import gcd

# Common oxidation states in compounds.
CATIONS = {
    1: "Li Na K Rb Cs Cu Ag Tl",
    2: "Be Mg Ca Sr Ba V Cr Mn Fe Co Ni Cu Zn Pd Cd Sn Eu Pt Hg Pb",
    3: "B Al Sc Ti V Cr Mn Fe Co Ni Ga As Y Rh In Sb La Ce Pr Nd Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Au "
    "Bi",
    4: "C Si S Ti V Mn Ge Se Zr Mo Ru Sn Te Ce Hf W Ir Pt Pb Th U",
    5: "N P V As Nb Sb Ta",
    6: "S Cr Se Mo Te W U",
}
# By decreasing electronegativity: one is a cation only beside those before it.
ANIONS = {"F": 1, "O": 2, "Cl": 1, "N": 3, "Br": 1, "I": 1, "S": 2, "Se": 2, "C": 4, "Te": 2,
          "As": 3, "P": 3, "Sb": 3}  # fmt: skip
IONIC = {"F", "O", "Cl", "Br", "I"}  # only in compounds whose charges balance
MAX_CATIONS = 5  # atoms of both cation sites
MAX_ANIONS = 12
MAX_ON_SITE = 3  # elements

States = dict[str, set[int]]
STATES: States = {}
for _charge, _symbols in CATIONS.items():
    for _symbol in _symbols.split():
        STATES.setdefault(_symbol, set()).add(_charge)


@dataclass(frozen=True)
class Formula:
    """A formula, as sites with their elements and number of atoms.

    Attributes
    ----------
    sites : tuple of (tuple of str, int)
        Elements of one site are in any proportion.
    """

    sites: tuple[tuple[tuple[str, ...], int], ...]

    @property
    def n_atoms(self) -> int:
        """Atoms of the formula unit."""
        return sum(n for _, n in self.sites)

    def __str__(self):
        return "".join(
            ("({})" if len(elements) > 1 else "{}").format(",".join(elements))
            + (str(n) if n > 1 else "")
            for elements, n in self.sites
        )


def build_formulas(elements: list[str], minor: set[str]) -> set[Formula]:
    """Return formulas of all elements but, perhaps, minor ones.

    Parameters
    ----------
    elements : list of str
        In the order in which a site lists its elements.
    minor : set of str
        Those of the elements that may be missing from the formula.
    """
    return {*_of_small_integers(elements, minor), *_of_balanced_charges(elements, minor)}


def _of_small_integers(elements, minor) -> Iterator[Formula]:
    major = [element for element in elements if element not in minor]
    if len(major) <= 1:
        yield from (Formula((((e,), 1),)) for e in major if e not in IONIC)
        return
    if len(major) > 2 or IONIC & set(major):
        return
    first, second = _electropositive_first(major)
    for a, b in product(range(1, MAX_CATIONS), repeat=2):
        if a + b <= MAX_CATIONS and gcd(a, b) == 1:
            yield Formula((((first,), a), ((second,), b)))


def _electropositive_first(pair):
    """Return two elements in the order of a formula; metals in that of the alphabet."""
    order = list(ANIONS)[::-1]
    return sorted(pair, key=lambda e: (order.index(e) if e in order else -1, e))


def _of_balanced_charges(elements, minor) -> Iterator[Formula]:
    for anion in (element for element in elements if element in ANIONS):
        others = [element for element in elements if element != anion]
        places = [_places(element, anion, element in minor) for element in others]
        for assigned in product(*places):
            sites = [
                tuple(e for e, place in zip(others, assigned, strict=True) if place == site)
                for site in "AB"
            ]
            if sites[0] and max(map(len, sites)) <= MAX_ON_SITE:
                yield from _balanced(*sites, anion)


def _places(element, anion, may_be_missing):
    order = list(ANIONS)
    is_cation = element in STATES and (
        element not in ANIONS or order.index(anion) < order.index(element)
    )
    return [*("AB" if is_cation else ""), *([""] if may_be_missing else [])]


def _balanced(first, second, anion) -> Iterator[Formula]:
    charge = ANIONS[anion]
    if not second:
        for q in _common_states(first):
            n = gcd(q, charge)
            yield Formula(((first, charge // n), ((anion,), q // n)))
        if len(first) == 1:
            for a, b, c in _two_sites(first, first, charge):
                if a + b == 3:  # as in spinels
                    yield Formula(((first, 3), ((anion,), c)))
        return
    for a, b, c in _two_sites(first, second, charge):
        yield Formula(((first, a), (second, b), ((anion,), c)))


def _two_sites(first, second, charge) -> Iterator[tuple[int, int, int]]:
    """Yield the numbers of atoms on two sites, the first of lower charge, and of anions."""
    for p, q in product(_common_states(first), _common_states(second)):
        # Two sites of one charge are two of a kind, but for perovskites such as LaAlO3.
        if p > q or (p == q and not (p == 3 and first[0] > second[0])):
            continue
        for a, b in product(range(1, MAX_CATIONS), repeat=2):
            c, rest = divmod(a * p + b * q, charge)
            small = a + b <= MAX_CATIONS and c <= MAX_ANIONS and gcd(a, b) == 1
            if small and not rest and (p < q or a == b):
                yield a, b, c


def _common_states(elements) -> set[int]:
    return set.intersection(*(STATES[element] for element in elements))
