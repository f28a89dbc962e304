# SPDX-License-Identifier: GPL-3.0-or-later
"""File formats that signals can be saved to here."""

from importlib.metadata import PackageNotFoundError, version

import pytest


def _has_zarr_2() -> bool:
    try:
        return version("zarr").startswith("2.")
    except PackageNotFoundError:
        return False


# Not with Python 3.14: for numcodecs, which zarr 2 needs, there are no wheels.
NEEDS_ZARR_2 = pytest.mark.skipif(not _has_zarr_2(), reason="RosettaSciIO needs zarr 2 for .zspy")
ZSPY = pytest.param("zspy", marks=NEEDS_ZARR_2)
