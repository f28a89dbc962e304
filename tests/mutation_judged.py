# SPDX-License-Identifier: GPL-3.0-or-later
"""What `mutation` leaves alone, and which of its survivors are no gap in the tests."""

# Arguments that only say how work is shared between threads.
TUNING_KEYWORDS = {"work"}

# file: constants that decide how fast a result is reached, or in what layout, never which one
# beyond the tolerance asked for.
TUNING = {
    # Safeguards: any small number does; what they guard is tested.
    "kernels/row_problem.py": {"ARMIJO", "AT_ZERO", "RIDGE", "HALVINGS", "TINY", "UNEXPLAINED"},
    "kernels/score.py": {"TINY", "UNEXPLAINED"},
    # Pieces of the cube that fit a cache.
    "kernels/counting.py": {"PIECE_BYTES"},
    # How long each alternation goes on before the next. When to stop is tested.
    "nmf/solve.py": {"EM_SWEEPS", "NEWTON_STEPS", "INNER"},
    # Steps to try; only a lower point is ever accepted.
    "nmf/line_search.py": {"SHORTEST_STEP", "GROWTH", "MAX_TRIES"},
    # Dense or sparse, the same sums.
    "nmf/bins.py": {"DENSE_BYTES", "DENSE_DENSITY"},
}

MEMORY = "more memory than is used, or one array for two that are not used at once"
AT_LIMIT = "differs only exactly at a limit that is any number of its size"
SAME_AT_EQUALITY = "both branches give the same where the two are equal"
NO_EFFECT_OF_ZERO = "what is added, or multiplied, is zero"
SCALE_OF_START = "the best scale of a start is found first"
SPEED = "the solution is the same, reached in more or fewer steps"
LENGTHS = "the lengths are always equal"

# file: {why nothing can notice: [(function, mutated statement)]}
JUDGED: dict[str, dict[str, list[tuple[str, str]]]] = {
    "kernels/em.py": {
        NO_EFFECT_OF_ZERO: [
            ("_em_dense", "ratio[j] = X[i, j] / ratio[j] if ratio[j] > 0.0 else 1.0"),
        ],
    },
    "kernels/score.py": {
        AT_LIMIT: [
            ("_score_row", "largest, n_counts = (1.0, 0.0)"),
            ("_score_row", "explained = largest <= UNEXPLAINED"),
            ("_score_row", "ratio[q] = ratio[q] if ratio[q] <= UNEXPLAINED else 0.0"),
        ],
        MEMORY: [
            ("_score_csr", "longest = 1"),
            ("_score_csr", "longest = max(longest, indptr[i + 1] + indptr[i])"),
            (
                "_score_csr",
                "rows, b = (np.empty((4, longest)), np.empty((basis.shape[0], longest)))",
            ),
            (
                "_score_csr",
                "loss[i] = _score_row(rows[0, :m], b, V[i], rows[2, :m], rows[2, :m], S[i])",
            ),
            ("_score_dense", "rows = np.empty((4, X.shape[1]))"),
            ("_score_dense", "loss[i] = _score_row(rows[0], basis, V[i], rows[2], rows[2], S[i])"),
            ("divergence", "return float(_run(X, V, B, np.zeros((len(V), 1)), n_jobs).sum())"),
        ],
    },
    "nmf/convex.py": {
        SCALE_OF_START: [
            (
                "solve_loadings",
                "W = np.repeat(total_counts(X, axis=1)[:, None] * len(H), len(H), axis=1)",
            ),
        ],
    },
    "nmf/solve.py": {
        SPEED: [
            (
                "poisson_nmf",
                f"W = solve_loadings(X, H, W, tol={changed} len(problem.row_counts))",
            )
            for changed in (
                "0.01 * problem.n_counts *",
                "0.01 / problem.n_counts /",
                "1.01 * problem.n_counts /",
            )
        ]
        + [("poisson_nmf", "start, step, n_iter = (point, 2.0, 0)")],
        SAME_AT_EQUALITY: [("poisson_nmf", "if found.loss >= point.loss:")],
        AT_LIMIT: [("poisson_nmf", "converged = residual < tol and patience.is_out")],
        NO_EFFECT_OF_ZERO: [
            ("_Problem.__init__", "self.n_counts = float(self.row_counts.sum()) or 2.0"),
        ],
    },
    "nmf/bins.py": {
        LENGTHS: [
            (
                "PixelBins.binned_shape",
                "return tuple((-(-n // b) for n, b in zip(self.shape, self.binning, strict=False)))",
            ),
            (
                "PixelBins.index",
                "along = [np.arange(n) // b for n, b in zip(self.shape, self.binning, strict=False)]",
            ),
            (
                "choose_binning",
                "fits = all((b <= n for b, n in zip(binning, shape, strict=False)))",
            ),
        ],
    },
    "nmf/counts.py": {
        AT_LIMIT: [
            ("", "SMALLEST_TOTAL, LARGEST_TOTAL = (1e-100, 1e+100)"),
            ("check_range", "if not SMALLEST_TOTAL <= total < LARGEST_TOTAL:"),
        ],
        "no type has nine bytes": [
            (
                "check_count_dtype",
                "if np.dtype(dtype).kind not in 'buif' or np.dtype(dtype).itemsize > 9:",
            ),
        ],
        MEMORY: [
            (
                "total_counts",
                "return sum_bins(X, np.zeros(n_rows, int), 2, np.arange(n_columns), n_columns)[0]",
            ),
        ],
    },
}


def reason(file, where, statement):
    """Return why nothing can notice a mutant, or None."""
    for why, mutants in JUDGED.get(file, {}).items():
        if (where, statement) in mutants:
            return why
    return None
