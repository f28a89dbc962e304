# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation check: change one operator or constant at a time, and see whether a test notices.

    python tests/mutation.py --sample 40
    python tests/mutation.py --sample 0 kernels/em.py      # all mutants of one file

Works in a copy of the tree. A mutant is killed when its tests fail, or do not come to an end.
Those that survive are listed, to be judged: some change nothing that matters, as a tolerance.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Kernels run as plain Python: compiling each mutant would take longer than its tests.
PLAIN = {"NUMBA_DISABLE_JIT": "1"}
ROWS = ["tests/kernels/test_newton.py", "tests/kernels/test_row_terms.py"]
# file: (tests that are about it, environment)
TARGETS = {
    "kernels/em.py": (["tests/kernels/test_em.py"], PLAIN),
    "kernels/row_problem.py": (ROWS, PLAIN),
    "kernels/newton.py": (ROWS, PLAIN),
    "kernels/score.py": (["tests/kernels/test_score.py"], PLAIN),
    "kernels/counting.py": (["tests/kernels/test_counting.py"], PLAIN),
    "nmf/solve.py": (["tests/nmf/test_solve.py", "tests/nmf/test_convex.py"], {}),
    "nmf/convex.py": (
        ["tests/nmf/test_convex.py", "tests/nmf/test_solve.py", "tests/nmf/test_psnmf.py"],
        {},
    ),
    "nmf/line_search.py": (["tests/nmf/test_solve.py"], {}),
    "nmf/volume.py": (["tests/nmf/test_volume.py"], {}),
    "nmf/bins.py": (["tests/nmf/test_bins.py"], {}),
    "nmf/counts.py": (["tests/nmf/test_counts.py"], {}),
    "eds/masks.py": (["tests/eds/test_masks.py", "tests/eds/test_bad_input.py"], {}),
}  # fmt: skip
SLOWEST = 3.0  # times what the tests take without a mutation, and 20 s
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def candidates(tree):
    """Yield (node, field, changed value, description) of every mutation, in one order."""
    for node in _code(tree):
        if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
            yield node, "op", SWAPS[type(node.op)](), type(node.op).__name__
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            swapped = [SWAPS[type(node.ops[0])](), *node.ops[1:]]
            yield node, "ops", swapped, type(node.ops[0]).__name__
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            # A plus keeps the number, and the truth, that was negated.
            yield node, "op", ast.UAdd(), "unary"
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield node, "value", not node.value, str(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node, "value", node.value + 1, str(node.value)


def _code(node):
    """Walk what is executed: no annotations, defaults of arguments, or messages of errors."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "defaults", "kw_defaults"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.Raise | ast.JoinedStr):
                yield child
                yield from _code(child)


def mutants_of(file):
    """Return (file, line, description, mutated source) of every mutant."""
    source = (ROOT / "hyperspy_psnmf" / file).read_text(encoding="utf-8")
    tree, found = ast.parse(source), []
    for i, (node, *_) in enumerate(candidates(tree)):
        mutated = copy.deepcopy(tree)
        twin, field, value, what = list(candidates(mutated))[i]
        before = ast.unparse(twin)
        setattr(twin, field, value)
        change = f"{before}  ->  {ast.unparse(twin)}" if field != "value" else f"{what} -> {value}"
        found.append((file, node.lineno, change, ast.unparse(mutated)))
    return found


class Tree:
    """A copy of the source tree in which files can be replaced and tests run."""

    def __init__(self, folder):
        self.folder = Path(folder)
        skip = shutil.ignore_patterns("__pycache__", ".*", "*.nbi", "*.nbc")
        for name in ("hyperspy_psnmf", "tests"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=skip)
        shutil.copy(ROOT / "pyproject.toml", self.folder)

    def test(self, file, timeout=None):
        """Return whether the tests of a file pass here."""
        tests, environment = TARGETS[file]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        env = {**os.environ, **environment, "PYTHONPATH": str(self.folder)}
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=env, timeout=timeout, capture_output=True, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def survives(self, file, source, timeout):
        """Return whether nothing notices that a file has another source."""
        path = self.folder / "hyperspy_psnmf" / file
        original = path.read_text(encoding="utf-8")
        try:
            path.write_text(source, encoding="utf-8")
            return self.test(file, timeout)
        finally:
            path.write_text(original, encoding="utf-8")


def main(argv=None):
    """Run a sample of all mutants and print what became of it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", choices=[*TARGETS, []], metavar="FILE")
    parser.add_argument("--sample", type=int, default=40, help="of each file; 0 is all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    n_killed = n_all = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(folder)
        for file in args.files or TARGETS:
            start = time.perf_counter()
            if not tree.test(file):
                raise SystemExit(f"the tests of {file} fail without a mutation")
            limit = 20 + SLOWEST * (time.perf_counter() - start)
            mutants = mutants_of(file)
            if 0 < args.sample < len(mutants):
                mutants = sorted(random.Random(args.seed).sample(mutants, args.sample))
            survivors = [m for m in mutants if tree.survives(file, m[3], limit)]
            n_all, n_killed = n_all + len(mutants), n_killed + len(mutants) - len(survivors)
            seconds = time.perf_counter() - start
            print(f"{file}: {len(mutants) - len(survivors)} of {len(mutants)} in {seconds:.0f} s")
            for _, line, change, _ in survivors:
                print(f"    line {line}: {change}", flush=True)
    print(f"killed: {n_killed} of {n_all}, {100 * n_killed / max(1, n_all):.0f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
