# SPDX-License-Identifier: GPL-3.0-or-later
"""scikit-learn estimators: `PoissonNMF` of a matrix, `PSNMF` of a map.

Use `PoissonNMF` where rows are samples without neighbours; it takes the place of
``sklearn.decomposition.NMF(solver="mu", beta_loss="kullback-leibler")``. Use
`PSNMF` where rows are the pixels of a map and counts per pixel are few.
"""

from hyperspy_psnmf.estimators.poisson_nmf import PoissonNMF
from hyperspy_psnmf.estimators.psnmf import PSNMF

__all__ = ["PSNMF", "PoissonNMF"]
