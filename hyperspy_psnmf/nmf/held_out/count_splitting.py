# SPDX-License-Identifier: GPL-3.0-or-later
r"""Count splitting: cross-validation for models with parameters in every pixel.

Pixels cannot be held out, because each has loadings of its own. But counts can: every count
is assigned at random to one of K folds (multinomial thinning). If :math:`x \sim`
Poisson(:math:`\mu`), the folds are *independent* Poisson(:math:`\mu / K`) counts [1]_, so a
model fitted to all folds but one predicts the held-out one, and on average none predicts
better than the truth. That is true of raw counts and sums of them only. The error of a
prediction is the held-out deviance, twice the Kullback-Leibler divergence:

.. math::

    2 \sum_{ij} x_{ij} \log(x_{ij} / \mu_{ij}) - x_{ij} + \mu_{ij}, \quad
    \mu = \frac{p}{1 - p} W \left((1 - \eta) H + \eta \bar x\right)

with p the fraction of counts in the test fold; W and H are fitted to the others, whose mean
spectrum is :math:`\bar x`. Without :math:`\eta` the deviance would be infinite for a test
count where H is zero.

References
----------
.. [1] A. Neufeld, A. Dharamshi, L. L. Gao, D. Witten, J. Mach. Learn. Res. 25 (2024)
   57. https://www.jmlr.org/papers/v25/23-0446.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np
import scipy.sparse as sp

from hyperspy_psnmf.kernels.likelihood import divergence, score
from hyperspy_psnmf.kernels.parallel import is_csr
from hyperspy_psnmf.nmf.counts.blocks import CountBlocks, divergence_of_columns
from hyperspy_psnmf.nmf.counts.matrix import check_count_dtype, total_counts
from hyperspy_psnmf.nmf.held_out.comparison import Comparison
from hyperspy_psnmf.nmf.validation import Callback, check_int

ETA = 1e-4  # fraction of the mean spectrum in every test model
JEFFREYS = 0.5  # counts added to each channel of that mean (Jeffreys' prior): none is zero
LARGEST = 2.0**53  # counts in one entry; floats are exact below

Fit = Callable[[object], tuple[np.ndarray, np.ndarray]]


def split_counts(X, n_folds: int, rng: np.random.Generator) -> list:
    """Assign every count at random to one of some folds of equal size.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Raw counts, or sums of them.
    n_folds : int
        Number of folds, at least 2.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    list of ndarray or of csr_array of shape (n_rows, n_channels)
        Folds that add up to X exactly, of its integer type; floats come back as
        float64, booleans as uint8.

    Raises
    ------
    TypeError, ValueError
        If X is no array or CSR matrix of counts, or `n_folds` is below 2.
    """
    n_folds = check_int("n_folds", n_folds, minimum=2)
    return _thin(X, np.full(n_folds, 1 / n_folds), rng)


def thin_counts(X, fraction: float, rng: np.random.Generator) -> tuple:
    """Assign every count to the test with probability `fraction`.

    Parameters
    ----------
    X, rng :
        See `split_counts`.
    fraction : float
        Fraction of the counts in the test, between 0 and 1.

    Returns
    -------
    train, test : ndarray or csr_array of shape (n_rows, n_channels)
        They add up to X exactly; types and errors as in `split_counts`.
    """
    fraction = _check_fraction("fraction", fraction)
    return tuple(_thin(X, np.array([1 - fraction, fraction]), rng))


def _thin(X, probabilities, rng):
    """Multinomial thinning as a sequence of binomials, non-zero entries only."""
    if not (is_csr(X) or isinstance(X, np.ndarray)):
        raise TypeError(f"X must be an ndarray or a CSR matrix, not {type(X).__name__}")
    check_count_dtype(X.dtype)
    dtype = {"b": np.dtype(np.uint8), "f": np.dtype(float)}.get(X.dtype.kind, X.dtype)
    entries = sp.csr_array(X.astype(dtype, copy=False))
    rest, parts, remaining = whole_counts(entries.data), [], 1.0
    for probability in probabilities[:-1]:
        parts.append(rng.binomial(rest, min(probability / remaining, 1.0)))
        rest -= parts[-1]
        remaining -= probability
    folds = (_without_zeros(entries, part.astype(dtype)) for part in [*parts, rest])
    return [fold if is_csr(X) else fold.toarray() for fold in folds]


def _without_zeros(X, values):
    found = sp.csr_array((values, X.indices.copy(), X.indptr.copy()), shape=X.shape)
    found.eliminate_zeros()
    return found


def are_whole(values) -> bool:
    """Return whether values are whole, not negative and exact, so that they can be thinned."""
    whole = values.dtype.kind != "f" or (values == np.floor(values)).all()
    return bool(whole and (not values.size or 0 <= values.min() <= values.max() <= LARGEST))


def holds_whole_counts(X) -> bool:
    """Return whether all entries of a matrix, or of blocks of one, are whole counts."""
    if isinstance(X, CountBlocks):
        return X.is_whole
    return are_whole(X if isinstance(X, np.ndarray) else X.data)


def whole_counts(values, name: str = "X") -> np.ndarray:
    """Return counts as int64, or raise ValueError where they are none."""
    _require_whole(are_whole(values), name)
    return values.astype(np.int64)


def check_whole(X, name: str = "X") -> None:
    """Raise ValueError where a matrix, or blocks of one, hold anything but counts."""
    _require_whole(holds_whole_counts(X), name)


def _require_whole(is_whole, name):
    if not is_whole:
        raise ValueError(
            f"{name} must hold counts: whole numbers, none negative. Count splitting assigns "
            "single counts to fit or test; the parts are independent only if the counts "
            "are raw Poisson counts or sums of them, not filtered, normalised or background-"
            "corrected ones"
        )


def _check_fraction(name, fraction) -> float:
    if isinstance(fraction, bool | np.bool_) or not isinstance(fraction, Real):
        raise TypeError(f"{name} must be a number, not {fraction!r}")
    if not 0 < fraction < 1:
        raise ValueError(f"{name} must be between 0 and 1, not {fraction}")
    return float(fraction)


def held_out_deviance(
    X_test,
    W: np.ndarray,
    H: np.ndarray,
    fraction: float,
    train_spectrum: np.ndarray,
    *,
    eta: float = ETA,
    n_jobs: int | None = 1,
) -> float:
    """Return the Poisson deviance of test counts from a model fitted to the others.

    That is twice the Kullback-Leibler divergence; see the docstring of this module. It is
    always finite: a row without loadings has `eta` times those of the mean row, and
    the mean spectrum has half a count more in each channel.

    Parameters
    ----------
    X_test : ndarray or csr_array of shape (n_rows, n_channels)
        Test counts.
    W, H : ndarray of shape (n_rows, n_components) and (n_components, n_channels)
        Loadings and spectra fitted to the training counts.
    fraction : float
        Fraction of all counts that are in the test.
    train_spectrum : ndarray of shape (n_channels,)
        Sum of the training counts over rows.
    eta : float
        Fraction of the mean spectrum in the model.
    n_jobs : int or None
        Threads; None is all cores.

    Raises
    ------
    TypeError, ValueError
        If `fraction` or `eta` is out of range, or W or H are not finite.
    """
    V, B = _test_model(W, H, fraction, train_spectrum, eta)
    return 2 * divergence(X_test, V, B, n_jobs=n_jobs)


def held_out_deviances(
    X_test, W, H, fraction: float, train_spectrum, *, eta: float = ETA, n_jobs: int | None = 1
) -> np.ndarray:
    """Return the deviance of every row, of shape (n_rows,); see `held_out_deviance`."""
    V, B = _test_model(W, H, fraction, train_spectrum, eta)
    return 2 * score(X_test, V, B, n_jobs=n_jobs)[1]


def held_out_by_channel(
    X_test, W, H, fraction: float, train_spectrum, *, eta: float = ETA, n_jobs: int | None = 1
) -> np.ndarray:
    """Return the deviance of every channel, of shape (n_channels,); see `held_out_deviance`."""
    V, B = _test_model(W, H, fraction, train_spectrum, eta)
    return 2 * divergence_of_columns(X_test, V, B, n_jobs=n_jobs)


def _test_model(W, H, fraction, train_spectrum, eta):
    """Return coefficients and basis of the expected counts of a test fold."""
    odds = _check_fraction("fraction", fraction) / (1 - fraction)
    eta = _check_fraction("eta", eta)
    if not (np.isfinite(W).all() and np.isfinite(H).all()):
        raise ValueError("W and H must be finite")
    mean = train_spectrum + JEFFREYS
    mean = mean / mean.sum()
    total = W @ H.sum(axis=1)
    floor = max(total.sum(), 1.0) / len(total)
    V = np.column_stack([(1 - eta) * W, eta * np.where(total > 0, total, floor)])
    return odds * V, np.column_stack([H.T, mean])


@dataclass(frozen=True, eq=False)
class Fold:
    """All counts X, the counts of the `test`, and the `fraction` of X expected in these."""

    X: object
    test: object
    fraction: float

    @property
    def train(self):
        """Counts to fit to; made anew each time, so that K folds are no K copies."""
        return self.X - self.test

    def deviance(self, W, H, *, n_jobs: int | None = 1) -> float:
        """Return the held-out deviance of loadings and spectra fitted to `train`."""
        spectrum = total_counts(self.X, axis=0) - total_counts(self.test, axis=0)
        return held_out_deviance(self.test, W, H, self.fraction, spectrum, n_jobs=n_jobs)


def make_folds(X, n_folds: int, rng: np.random.Generator) -> list[Fold]:
    """Split counts, see `split_counts`, and pair every fold with all counts."""
    folds = split_counts(X, n_folds, rng)
    return [Fold(X.astype(folds[0].dtype, copy=False), test, 1 / n_folds) for test in folds]


def compare(
    X,
    fits: Mapping[str, Fit],
    *,
    n_folds: int = 5,
    rng: np.random.Generator | None = None,
    n_jobs: int | None = 1,
    callback: Callback | None = None,
) -> Comparison:
    """Compare ways to fit counts by how well they predict held-out counts.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n_rows, n_channels)
        Raw counts, or sums of them. To compare binnings or priors, pass the counts at
        full resolution; a candidate may bin what it is given, but returns loadings and
        spectra for the matrix it was given.
    fits : dict of str to callable
        Candidates in order from the simplest to the most complex. Each is called with
        training counts, as X in shape and kind, and returns W and H.
    n_folds : int
        Number of folds, at least 2.
    rng : numpy.random.Generator, optional
        Source of random numbers.
    n_jobs : int or None
        Threads for scoring; None is all cores.
    callback : callable, optional
        Called after every fit with the candidate's name, the number of the fold and its
        deviance. An exception in it ends the comparison.
    """
    if not fits:
        raise ValueError("fits must hold at least one candidate")
    folds = make_folds(X, n_folds, np.random.default_rng(0) if rng is None else rng)
    deviances = np.empty((len(fits), n_folds))
    for c, (name, fit) in enumerate(fits.items()):
        for f, fold in enumerate(folds):
            deviances[c, f] = fold.deviance(*fit(fold.train), n_jobs=n_jobs)
            if callback is not None:
                callback(name, f, deviances[c, f])
    return Comparison(tuple(fits), deviances)
