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

# file: {(function, mutated statement): why nothing can notice}
JUDGED: dict[str, dict[tuple[str, str], str]] = {}
