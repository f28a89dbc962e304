# SPDX-License-Identifier: GPL-3.0-or-later
"""The PSNMF method on plain arrays and CSR matrices; no signals here.

Each room imports those before it:

``validation``
    checks of arguments
``counts``
    counts as a CSR matrix, in memory, in blocks or on disk
``binning``
    sums of neighbouring pixels and channels; subsets of a map
``solver``
    Poisson NMF of one matrix: start, alternate to convergence, volume term, Fisher information
``held_out``
    count splitting, and models compared by it
``lines``
    spectra made of X-ray lines and continuum, the simplest of those that fit alike
``parsimony``
    rotational ambiguity resolved by sparsity, merged and subtracted spectra
``method``
    the four steps of PSNMF: bin, factorise, factorise at full resolution, smooth
``selection``
    the number of components and the binning
``uncertainty``
    standard errors, upper limits, jackknife, profile likelihood and confidence bands
``diagnostics``
    deviance per degree of freedom; shifts of the energy axis; hot voxels
"""
