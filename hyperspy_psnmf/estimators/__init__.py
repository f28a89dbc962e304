# SPDX-License-Identifier: GPL-3.0-or-later
"""scikit-learn estimators: `PoissonNMF` of a matrix, `PSNMF` of a map.

Use `PoissonNMF` where rows are samples without neighbours; it takes the place of
``sklearn.decomposition.NMF(solver="mu", beta_loss="kullback-leibler")``. Use
`PSNMF` where rows are the pixels of a map and counts per pixel are few.

They are imported when first used: ``s.decomposition(algorithm="PSNMF")`` fits a
`psnmf_model.PSNMFModel`, without scikit-learn, which takes as long to import as a
small map to be decomposed.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hyperspy_psnmf.estimators.poisson_nmf import PoissonNMF
    from hyperspy_psnmf.estimators.psnmf import PSNMF

_LAZY = {"PSNMF": "psnmf", "PoissonNMF": "poisson_nmf"}

__all__ = ["PSNMF", "PoissonNMF"]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__():
    return sorted(__all__)
