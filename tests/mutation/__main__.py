# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation check: change one operator or constant at a time, and see whether a test notices.

Of files in chosen.py, what is listed there is changed.

    python -m tests.mutation                               # all mutants of all files
    python -m tests.mutation --sample 10 kernels/em.py     # ten of one file

Works in a copy of the tree. A mutant is killed when its tests fail, or do not come to an end.
Those that survive are listed; judged.txt says why some of them change nothing.

What becomes of all mutants, found by running each once, and those that survived again after
tests for them had been written; in all an hour on two cores that others kept busy:

    file                      mutants  killed  judged    left
    kernels/em.py                  35      34       1       0
    kernels/newton/row.py         233     213      20       0
    kernels/newton/rows.py         67      54      13       0
    kernels/likelihood.py          52      42      10       0
    kernels/csr.py                 73      63      10       0
    nmf/solver/alternating.py      72      65       7       0
    nmf/solver/convex.py           30      29       1       0
    nmf/solver/alternation.py       9       9       0       0
    nmf/solver/volume.py           33      33       0       0
    nmf/binning/bins.py            64      64       0       0
    nmf/counts/matrix.py           36      32       4       0
    eds/decompose/masks.py         27      27       0       0
    all                           731     665      66       0  91 %
"""

import argparse
import ast
import importlib
import multiprocessing
import os
import random
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.mutation.chosen import CHOSEN, chosen_mutants

ROOT = Path(__file__).parents[2]
# Kernels run as plain Python: compiling each mutant would take longer than its tests.
PLAIN = {"NUMBA_DISABLE_JIT": "1"}
STEPS = [f"tests/kernels/newton/test_row_{name}.py" for name in ("gradient", "steps", "search")]
# Of tests that take longest those that see most: a mutant that only the others kill survives.
ROWS = [
    "tests/kernels/newton/test_rows.py -k 'not small_rows_of_all_kinds'",
    "tests/kernels/newton/test_rows_terms.py "
    "-k 'asked_for and all or worse and all or nothing or stays'",
]
SOLVE = ["tests/nmf/solver/test_alternating_pattern.py", "tests/nmf/solver/test_alternating.py"]
# file: (tests that are about it, the quickest first, environment)
TARGETS = {
    "kernels/em.py": (["tests/kernels/test_em.py"], PLAIN),
    "kernels/newton/row.py": ([*STEPS, *ROWS], PLAIN),
    "kernels/newton/direction.py": ([*STEPS, *ROWS], PLAIN),
    "kernels/newton/rows.py": (["tests/kernels/newton/test_rows_added_terms.py", *ROWS], PLAIN),
    "kernels/likelihood.py": (["tests/kernels/test_likelihood.py"], PLAIN),
    "kernels/csr.py": (["tests/kernels/test_csr.py"], PLAIN),
    "nmf/solver/alternating.py": (["tests/nmf/solver/test_alternating_moves.py", *SOLVE], {}),
    "nmf/solver/convex.py": (
        ["tests/nmf/solver/test_convex.py", "tests/nmf/solver/test_alternating.py"],
        {},
    ),
    "nmf/solver/alternation.py": (["tests/nmf/solver/test_alternation.py"], {}),
    "nmf/solver/volume.py": (["tests/nmf/solver/test_volume.py"], {}),
    "nmf/binning/bins.py": (
        [
            "tests/nmf/binning/test_bins.py",
            "tests/nmf/counts/test_blocks.py::test_bin_counts__bins_are_the_same",
            "tests/nmf/counts/test_blocks.py::test_bin_counts__large_bins_are_the_same",
            "tests/nmf/method/test_psnmf.py::test_bins__channels_are_binned_alike_dense_and_sparse",
        ],
        {},
    ),
    "nmf/counts/matrix.py": (
        [
            "tests/nmf/counts/test_matrix.py",
            "tests/nmf/counts/test_blocks.py::test_total_counts__totals_are_the_same",
        ],
        {},
    ),
    "eds/decompose/masks.py": (["tests/eds/decompose/test_mask_arrays.py"], {}),
}  # fmt: skip
TARGETS |= {f: (tests, PLAIN if "kernels" in f else {}) for f, (tests, _) in CHOSEN.items()}
# Not mutated: arguments that share work between threads, or check lengths that are always equal,
TUNING_KEYWORDS = {"work", "strict"}
# and constants that decide how fast a result is reached, or in what layout, never which one
# beyond the tolerance asked for.
TUNING = {
    # Safeguards: any small number does; what they guard is tested.
    "kernels/newton/row.py": {"ARMIJO", "AT_ZERO", "HALVINGS"},
    "kernels/newton/direction.py": {"RIDGE"},
    # Pieces of the cube that fit a cache.
    "kernels/csr.py": {"PIECE_BYTES"},
    # How long each alternation goes on before the next. When to stop is tested.
    "nmf/solver/alternating.py": {"EM_SWEEPS", "NEWTON_STEPS", "INNER"},
    # Steps to try; only a lower point is ever accepted.
    "nmf/solver/alternation.py": {"SHORTEST_STEP", "GROWTH", "MAX_TRIES"},
    # Dense or sparse, the same sums.
    "nmf/binning/bins.py": {"DENSE_BYTES", "DENSE_DENSITY"},
}
SLOWEST = 3.0  # times what the tests take without a mutation, and 10 s
# Also what the default run of tests leaves out.
ALL = ["-q", "-x", "-p", "no:cacheprovider", "-m", "not statistical and not browser"]
# What every test imports, once; the package itself comes from the copy.
PRELOAD = ("exspy.signals", "hypothesis.extra.numpy", "numba", "pytest", "sklearn.decomposition")
FORK = multiprocessing.get_context("fork")
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def changes(node):
    """Yield (field, changed value) of every mutation of one node."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        yield "op", SWAPS[type(node.op)]()
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        yield "ops", [SWAPS[type(node.ops[0])](), *node.ops[1:]]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield "operand", ast.UnaryOp(node.op, node.operand)  # twice is not at all
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "value", not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "value", node.value + 1


def code(node, file, where="", statement=None):
    """Walk what is executed: (node, its function, its statement).

    Without annotations, defaults of arguments and fields, messages of errors and what is listed
    as tuning.
    """
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "defaults", "kw_defaults"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_left_out(child, file):
                continue
            inside = statement if not isinstance(child, ast.stmt) else child
            yield child, where, inside
            own = f"{where}.{child.name}".lstrip(".") if hasattr(child, "name") else where
            yield from code(child, file, own, inside)


def _is_left_out(node, file):
    if isinstance(node, ast.Assign):
        return any(name.id in TUNING.get(file, ()) for name in _names(node.targets))
    is_tuning = isinstance(node, ast.keyword) and node.arg in TUNING_KEYWORDS
    return is_tuning or isinstance(node, ast.Raise | ast.JoinedStr | ast.AnnAssign)


def _names(targets):
    return [node for each in targets for node in ast.walk(each) if isinstance(node, ast.Name)]


def mutants_of(file):
    """Return (line, function, mutated statement, mutated source) of every mutant."""
    source = (ROOT / "hyperspy_psnmf" / file).read_text(encoding="utf-8")
    if file in CHOSEN:
        return list(chosen_mutants(file, source))
    tree = ast.parse(source)
    found = []
    for node, where, statement in list(code(tree, file)):
        for field, value in list(changes(node)):
            before = getattr(node, field)
            setattr(node, field, value)
            shown = ast.unparse(statement).splitlines()[0]
            found.append((node.lineno, where, shown, ast.unparse(tree)))
            setattr(node, field, before)
    return found


def read_judged():
    """Return why nothing can notice a mutant, by file, function and statement."""
    judged, file, why = {}, "", ""
    for line in Path(__file__).with_name("judged.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            file = line.strip("[]")
        elif line.startswith(" "):
            where, shown = line.strip().split(": ", 1) if line[4] != ":" else ("", line[6:])
            judged[file, where, shown] = why
        elif line and not line.startswith("#"):
            why = line
    return judged


class Tree:
    """A copy of the source tree in which files can be replaced and tests run."""

    def __init__(self, folder):
        self.folder = Path(folder)
        # Compiled kernels come along; the bytecode of a mutant would be taken for the next one's.
        skip = shutil.ignore_patterns("*.pyc", ".*")
        for name in ("hyperspy_psnmf", "tests"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=skip)
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        sys.dont_write_bytecode = True
        os.environ["HYPERSPY_PSNMF_DISABLE"] = "1"  # HyperSpy imports what is installed
        for name in PRELOAD:
            importlib.import_module(name)
        for name in [name for name in sys.modules if name.startswith(("hyperspy_psnmf", "tests"))]:
            del sys.modules[name]

    def test(self, file, timeout=None):
        """Return whether the tests of a file pass here."""
        process = FORK.Process(target=_run_tests, args=(str(self.folder), *TARGETS[file]))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode == 0

    def survives(self, file, source, timeout):
        """Return whether nothing notices that a file has another source."""
        path = self.folder / "hyperspy_psnmf" / file
        original = path.read_text(encoding="utf-8")
        try:
            path.write_text(source, encoding="utf-8")
            return self.test(file, timeout)
        finally:
            path.write_text(original, encoding="utf-8")


def _run_tests(folder, tests, environment):
    import numba
    import pytest

    os.chdir(folder)
    sys.path[0] = folder
    os.environ.update(environment, PYTHONPATH=folder, HYPERSPY_PSNMF_DISABLE="")
    numba.config.reload_config()
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    status = 0
    for each in tests:  # later ones are not even collected once one fails
        status = status or pytest.main([*ALL, *shlex.split(each)])
    # A mutant that is never imported would survive everything.
    is_copy = sys.modules["hyperspy_psnmf"].__file__.startswith(folder)
    os._exit(int(status) if is_copy else 99)


def run(file, tree, judged, sample, seed):
    """Run the mutants of a file; return how many there are, and those that survive."""
    tree.test(file)  # compiles
    start = time.perf_counter()
    if not tree.test(file):
        raise SystemExit(f"the tests of {file} fail without a mutation")
    limit = 10 + SLOWEST * (time.perf_counter() - start)
    mutants = mutants_of(file)
    if 0 < sample < len(mutants):
        mutants = sorted(random.Random(seed).sample(mutants, sample))
    survivors = [m for m in mutants if tree.survives(file, m[3], limit)]
    why = {m: judged.get((file, *m[1:3])) for m in survivors}
    n_judged = sum(map(bool, why.values()))
    killed, n = len(mutants) - len(survivors), len(mutants)
    print(
        f"{file}: {killed} of {n} killed, {100 * killed / n:.0f} %, {n_judged} judged "
        f"equivalent, in {time.perf_counter() - start:.0f} s",
        flush=True,
    )
    for mutant in survivors:
        line, where, shown, _ = mutant
        print(f"    {line} {where}: {shown}\n        {why[mutant] or '?'}", flush=True)
    return n, killed, n_judged


def main(argv=None):
    """Run all mutants, or a sample, and print what became of them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", choices=[*TARGETS, []], metavar="FILE")
    parser.add_argument("--sample", type=int, default=0, help="of each file; 0 is all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        tree, judged = Tree(folder), read_judged()
        found = [run(file, tree, judged, args.sample, args.seed) for file in args.files or TARGETS]
    n, killed, n_judged = (sum(each) for each in zip(*found, strict=True))
    print(
        f"killed: {killed} of {n}, {100 * killed / n:.0f} %; without those judged equivalent "
        f"{100 * killed / max(1, n - n_judged):.0f} %"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
