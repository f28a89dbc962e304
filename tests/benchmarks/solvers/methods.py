# SPDX-License-Identifier: GPL-3.0-or-later
r"""Poisson NMF by other algorithms, on the same counts, blocks and compiler options as ours.

- `psnmf`: `poisson_nmf`, projected Newton per row with extrapolated alternations.
- `scd`: sequential coordinate descent. For each row every coefficient in turn has a Newton step by
  itself, :math:`v_k \leftarrow \max(0, v_k - g_k / h_k)`, as in the R packages NNLM [1]_ and
  fastTopics [2]_, whose four passes over a row are used here. W and H alternate.
- `scd_extrapolated`: the same with the extrapolation of Ang and Gillis [3]_, by default in
  fastTopics. Where the divergence rises, the iteration is undone and the step becomes shorter.
- `em`: multiplicative updates, W and H from the same expected counts.
- `squarem`: EM accelerated by SQUAREM [4]_, step length S3, in the variables whose norms are
  equal in W and H. Entries that would be negative become small, as zeros never grow in EM. Where
  the divergence is higher than after the two EM sweeps, these are taken. An iteration is two or
  three sweeps and as many evaluations of the divergence, less one.

References
----------
.. [1] X. Lin, P. C. Boutros, BMC Bioinformatics 21 (2020) 7 (the algorithm of C.-J. Hsieh,
   I. S. Dhillon, KDD 2011). https://doi.org/10.1186/s12859-019-3312-5
.. [2] P. Carbonetto et al., arXiv:2105.13440. https://github.com/stephenslab/fastTopics
.. [3] A. M. S. Ang, N. Gillis, Neural Computation 31 (2019) 417.
   https://doi.org/10.1162/neco_a_01157
.. [4] R. Varadhan, C. Roland, Scand. J. Statist. 35 (2008) 335.
   https://doi.org/10.1111/j.1467-9469.2007.00585.x
"""

import numpy as np

from hyperspy_psnmf.kernels.em import em_sweep
from hyperspy_psnmf.kernels.likelihood import divergence
from hyperspy_psnmf.nmf.solver.alternating import poisson_nmf
from hyperspy_psnmf.nmf.solver.convex import transpose
from tests.benchmarks.solvers.coordinate_descent import descend

MAX_ITER = 10**9  # the trace ends all methods
N_PASSES = 4  # over a row, as in fastTopics
# Of Ang and Gillis, with the values of fastTopics.
FIRST, GROWTH, CUT, GROWTH_OF_LIMIT, LARGEST = 0.5, 1.1, 0.75, 1.05, 0.99
# Of the entries after two EM sweeps, in place of what would be less. With 0, entries stay at zero
# for good; 0.1 to 0.8 differ little.
FLOOR = 0.1
GROWTH_OF_STEP = 4.0  # of the longest step, as in the R package SQUAREM


def psnmf(X, W, B, trace):
    """Run `poisson_nmf` with no end of its own."""
    options = {"max_iter": MAX_ITER, "tol": 0.0}
    poisson_nmf(X, B.T, W, callback=lambda n, loss, residual: trace.note(loss), **options)


def scd(X, W, B, trace):
    """Coordinate descent on W and on H in turns."""
    Xt = transpose(X)
    while True:
        W = descend(X, B, W, N_PASSES)
        B = descend(Xt, W, B, N_PASSES)
        trace.evaluate(W, B)


def scd_extrapolated(X, W, B, trace):
    """Coordinate descent between extrapolations."""
    Xt, ahead, loss = transpose(X), (W, B), divergence(X, W, B)
    step, longest = FIRST, LARGEST
    while True:
        W_new = descend(X, ahead[1], ahead[0], N_PASSES)
        W_ahead = _beyond(W, W_new, step)
        B_new = descend(Xt, W_ahead, ahead[1], N_PASSES)
        loss_new = divergence(X, W_new, B_new)
        if loss_new > loss and ahead[0] is not W:
            ahead, longest, step = (W, B), step, CUT * step
        else:
            ahead = W_ahead, _beyond(B, B_new, step)
            W, B, loss = W_new, B_new, loss_new
            step, longest = min(longest, GROWTH * step), min(LARGEST, GROWTH_OF_LIMIT * longest)
        trace.note(loss)


def _beyond(old, new, step):
    return np.maximum(new + step * (new - old), 0.0)


def em(X, W, B, trace):
    """Multiplicative updates."""
    while True:
        W, B = em_sweep(X, W, B)
        trace.evaluate(W, B)


def squarem(X, W, B, trace):
    """EM sweeps and extrapolations along two of them."""
    scale = np.sqrt(np.linalg.norm(W, axis=0) / np.linalg.norm(B, axis=0))
    point, longest = (W / scale, B * scale), 1.0
    while True:
        first = em_sweep(X, *point)
        second = em_sweep(X, *first)
        step = min(_step_length(point, first, second), longest)
        loss, point_ahead = divergence(X, *second), None
        if step > 1.0:  # a step of 1 ends after the two sweeps
            point_ahead = em_sweep(X, *_extrapolate(point, first, second, step))
            loss_ahead = divergence(X, *point_ahead)
        if point_ahead is not None and not loss_ahead <= loss:
            longest, point = max(1.0, longest / GROWTH_OF_STEP), second
        else:
            longest = longest * GROWTH_OF_STEP if step == longest else longest
            point, loss = (second, loss) if point_ahead is None else (point_ahead, loss_ahead)
        trace.note(loss)


def _step_length(point, first, second) -> float:
    """Return the ratio of the norms of the first difference and of the second one (S3)."""
    triples = list(zip(point, first, second, strict=True))
    r = sum(((b - a) ** 2).sum() for a, b, _ in triples)
    v = sum(((c - 2 * b + a) ** 2).sum() for a, b, c in triples)
    return max(1.0, float(np.sqrt(r / v))) if v > 0 else 1.0


def _extrapolate(point, first, second, step):
    return tuple(
        np.maximum(a + 2 * step * (b - a) + step**2 * (c - 2 * b + a), FLOOR * c)
        for a, b, c in zip(point, first, second, strict=True)
    )


METHODS = {each.__name__: each for each in (psnmf, scd, scd_extrapolated, squarem, em)}
