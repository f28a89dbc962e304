# SPDX-License-Identifier: GPL-3.0-or-later
"""The PSNMF method on plain arrays and CSR matrices; no signals here.

The method

``psnmf``
    the four steps: bin, factorise, factorise at full resolution, combine
``bins``, ``binned_map``
    which pixel and channel falls into which bin; step 2
``initialise``
    spectra to start from
``solve``, ``convex``, ``line_search``
    Poisson NMF of one matrix, to convergence; its two convex halves; steps beyond them
``parsimony``, ``volume``, ``absent``
    what decides where several factorisations fit alike
``prior``
    neighbouring pixels that agree share what they know

How sure

``information``, ``uncertainty``, ``limits``
    Fisher information, standard errors and upper limits
``jackknife``
    what loadings owe to spectra that are estimates
``ambiguity``, ``bands``
    what the counts cannot tell apart
``goodness``, ``shift``
    deviance against what Poisson counts would have; a drifting energy axis
``splitting``, ``comparison``, ``rank``, ``finer_bins``
    held-out deviance of any choice; the number of components; smaller bins

``counts``, ``validate``
    counts brought to CSR; checks of arguments
"""
