# SPDX-License-Identifier: GPL-3.0-or-later
r"""Numba kernels: every loop over counts lives here, and nothing else.

The kernels take counts ``X`` (n_rows, n_columns), non-negative coefficients
``V`` (n_rows, n_components) and a basis ``B`` (n_columns, n_components), with
model :math:`\mu = V B^T`. Loadings are rows of X with B the spectra; spectra
are rows of X transposed with B the loadings: the same kernels serve both.

``X`` is a C-ordered array or a CSR matrix (anything with ``indptr``,
``indices`` and ``data``). Entries of X that are zero cost nothing, because
:math:`\sum_j \mu_{ij}` follows from the column sums of B.

``em``
    one joint expectation-maximisation sweep
``newton``
    projected Newton for a fixed basis: one row (``row``), and every row (``rows``)
``likelihood``
    divergence, gradient and the duality gap of every row
``logarithm``
    a vectorised sum of logarithms
``expected``
    sums over the expected counts: of the expected deviance, and Fisher information
``adaptive_weights``
    sums over neighbouring pixels that agree within errors (adaptive smoothing)
``csr``
    from a cube of counts to CSR, and from CSR to bins
``limits``
    numbers that keep quotients finite
``parallel``
    runs a kernel on blocks of rows in several threads
``row_counts``
    rows of counts of any type, dense or CSR, as arrays of the types that kernels are compiled for
``sharp_entries``
    entries far above their row, their column and their neighbours (hot voxels)
"""
