# SPDX-License-Identifier: GPL-3.0-or-later
"""The PSNMF method on plain arrays and CSR matrices; no signals here.

``bins``
    which pixel and which channel falls into which bin
``initialise``
    spectra to start from
``solve``
    Poisson NMF of one matrix, to convergence
``psnmf``
    the four steps: bin, factorise, factorise at full resolution, combine
``counts``
    arrays and matrices of counts checked and brought to CSR
``validate``
    checks of arguments
"""
