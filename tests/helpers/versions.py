# SPDX-License-Identifier: GPL-3.0-or-later
"""What depends on the version of HyperSpy, so that tests hold on the oldest that is supported."""

from importlib.metadata import version

# Before 2.5 lazy signals had no NMF and no `centre`, empty channels became NaN when Poisson
# noise was normalised, and the complaint about integers read otherwise.
BEFORE_2_5 = tuple(int(part) for part in version("hyperspy").split(".")[:2]) < (2, 5)
NEEDS_FLOATS = "float or complex type" if BEFORE_2_5 else "floating-point"
