# SPDX-License-Identifier: GPL-3.0-or-later
"""What depends on versions of HyperSpy and zarr, so that tests hold on all that are supported."""

from importlib.metadata import PackageNotFoundError, version

import pytest

# Before 2.5 lazy signals had no NMF and no `centre`, empty channels became NaN when Poisson
# noise was normalised, and the complaint about integers read otherwise.
BEFORE_2_5 = tuple(int(part) for part in version("hyperspy").split(".")[:2]) < (2, 5)
NEEDS_FLOATS = "float or complex type" if BEFORE_2_5 else "floating-point"


def _has_zarr_2() -> bool:
    try:
        return version("zarr").startswith("2.")
    except PackageNotFoundError:
        return False


# Not with Python 3.14: for numcodecs, which zarr 2 needs, there are no wheels.
NEEDS_ZARR_2 = pytest.mark.skipif(not _has_zarr_2(), reason="RosettaSciIO needs zarr 2 for .zspy")
ZSPY = pytest.param("zspy", marks=NEEDS_ZARR_2)
