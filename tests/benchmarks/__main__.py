# SPDX-License-Identifier: GPL-3.0-or-later
"""All benchmarks of speed as one table: ``python -m tests.benchmarks [--quick]``.

Runs `bench_speed.py` and `bench_lazy.py` and prints what they keep in the ``extra_info`` of
pytest-benchmark, ratios as medians over their pairs of runs. With ``--quick``, maps have a
quarter of the pixels, the one on disk 0.4 GB, and the largest in memory is left out: to see
that all run, for the ratios of small maps are others.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
FILES = ("bench_speed.py", "bench_lazy.py")
QUICK = {"PSNMF_BENCH_PIXELS": "64", "PSNMF_BENCH_GB": "0.4"}
NOT_QUICK = "not big_map"


def run(json_file: Path, *, quick: bool = False, keyword: str = "") -> int:
    """Run the benchmarks, with all their output on stderr, and return pytest's exit code."""
    wanted = [NOT_QUICK] * quick + [f"({keyword})"] * bool(keyword)
    command = [sys.executable, "-m", "pytest", *(str(FOLDER / name) for name in FILES), "-s"]
    command += [f"--benchmark-json={json_file}", "-k", " and ".join(wanted)]
    environment = {**os.environ, **(QUICK if quick else {})}
    root = FOLDER.parents[1]
    return subprocess.run(command, cwd=root, env=environment, stdout=sys.stderr).returncode


def table(benchmarks: list[dict]) -> str:
    """Return all figures as Markdown, in the order of the tests."""
    lines = ["| benchmark | what | figure |", "|---|---|---|"]
    for benchmark in benchmarks:
        name = benchmark["name"].removeprefix("test_")
        for what, figure in benchmark["extra_info"].items():
            lines.append(f"| {name} | {what} | {_formatted(figure)} |")
    return "\n".join(lines)


def _formatted(figure) -> str:
    if isinstance(figure, dict):
        return ", ".join(f"{name}: {_formatted(each)}" for name, each in figure.items())
    if isinstance(figure, list):
        return ", ".join(map(_formatted, figure))
    # Divergences differ in their last digits.
    return f"{figure:.0f}" if abs(figure) >= 1000 else f"{figure:.3g}"


def parse(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small maps")
    parser.add_argument("-k", default="", metavar="EXPRESSION", help="of pytest, to select some")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep pytest-benchmark's file")
    return parser.parse_args(argv)


def main(argv=None) -> int:
    args = parse(argv)
    with tempfile.TemporaryDirectory() as folder:
        # pytest runs in another folder.
        json_file = args.json.resolve() if args.json else Path(folder) / "benchmarks.json"
        code = run(json_file, quick=args.quick, keyword=args.k)
        if not json_file.exists() or not json_file.stat().st_size:
            return code or 1  # nothing was measured
        print(table(json.loads(json_file.read_text())["benchmarks"]))
    return code


if __name__ == "__main__":
    sys.exit(main())
