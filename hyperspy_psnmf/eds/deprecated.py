# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of earlier versions: they work until version 0.3, with a warning that says the new one."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from hyperspy.exceptions import VisibleDeprecationWarning


class Renamed(NamedTuple):
    """A keyword of ``s.decomposition(algorithm="PSNMF")`` that has another name now.

    Attributes
    ----------
    new : str
        The keyword in its place.
    translate : callable
        Gives the value of the new keyword for one of the old.
    words : tuple of str
        The values that are old; empty for all.
    """

    new: str
    translate: Callable[[Any], Any]
    words: tuple[str, ...] = ()

    def applies(self, value) -> bool:
        """Return whether a value of the old keyword is to be translated."""
        return not self.words or (isinstance(value, str) and value in self.words)


KEYWORDS = {
    "volume": Renamed("parsimony", lambda word: True, ("auto",)),
    "spatial_prior": Renamed(
        "smoothing", lambda v: True if isinstance(v, str) and v == "auto" else v
    ),
}


def warn_deprecated(old: str, new: str, *, stacklevel: int = 2) -> None:
    """Warn that an old name, or way to call a method, has a new one in its place.

    Parameters
    ----------
    old, new : str
        As a user writes them.
    stacklevel : int
        As of `warnings.warn` in the calling function.
    """
    warnings.warn(
        f"{old} is deprecated and works until version 0.3: use {new}",
        VisibleDeprecationWarning,
        stacklevel=stacklevel + 1,
    )


def translate_keywords(passed: dict, *, stacklevel: int) -> dict:
    """Return keywords of a decomposition by their new names, with a warning for each old one.

    Raises
    ------
    TypeError
        If both names are there.
    """
    translated = dict(passed)
    for old, renamed in KEYWORDS.items():
        if old not in passed or not renamed.applies(passed[old]):
            continue
        value = renamed.translate(translated.pop(old))
        was, now = f"{old}={passed[old]!r}", f"{renamed.new}={value!r}"
        if renamed.new in passed:
            raise TypeError(
                f"{was} is the old form of {now}: leave it out, as {renamed.new} is given"
            )
        translated[renamed.new] = value
        warn_deprecated(was, now, stacklevel=stacklevel + 1)
    return translated
