# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory over the size of a map: ``python -m tests.benchmarks.growth``.

``s.decomposition(algorithm="PSNMF", output_dimension=...)`` with all other settings at their
defaults, on the mineral phantom. One of pixels, channels, counts per pixel and phases varies, the
others stay at 128 x 128, 1024, 60 and 3; over pixels also lazy. Each run is a process of its
own with a filled cache of kernels (`child.py` says what is measured). The exponent is the
slope of a line through the logarithms.
"""

# Nothing heavy is imported: a child's peak memory begins with that of this process.
import argparse
import json
import subprocess
import sys
import tempfile
from math import log
from pathlib import Path
from statistics import linear_regression, median

MODULE = "tests.benchmarks.growth.child"
BASE = {"pixels": 128, "channels": 1024, "counts": 60.0, "phases": 3, "lazy": False}
VALUES = {
    "pixels": (64, 128, 256, 512, 1024),  # along one side
    "channels": (512, 1024, 2048, 4096),
    "counts": (15.0, 60.0, 250.0, 1000.0),
    "phases": (2, 3, 5, 10),
}
HEADS = {"pixels": "pixels", "channels": "channels", "counts": "counts per pixel",
         "phases": "phases"}  # fmt: skip
FORMATS = {"seconds": ".3g", "megabytes": ".0f"}


def call(what: str, settings: dict, path: Path) -> str:
    """Make a map, or unmix it, in a process of its own; return the last line it printed."""
    command = [sys.executable, "-W", "ignore", "-m", MODULE, what, json.dumps(settings), str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def measure(settings: dict, repeats: int) -> dict:
    """Return the medians of seconds and megabytes on one map."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.hspy"
        call("make", settings, path)
        runs = [json.loads(call("unmix", settings, path)) for _ in range(repeats)]
    return {name: median(run[name] for run in runs) for name in FORMATS}


def size_of(variable: str, value) -> float:
    """Return a value as the table has it: of pixels their number, not that along one side."""
    return value**2 if variable == "pixels" else value


def exponent(sizes, values) -> float | None:
    """Return the slope of a line through the logarithms; None without two positive values."""
    points = [(log(x), log(y)) for x, y in zip(sizes, values, strict=True) if y > 0]
    if len({x for x, _ in points}) < 2:
        return None
    return linear_regression(*zip(*points, strict=True)).slope


def table(variable: str, values, runs, lazy: bool) -> str:
    """Return what was measured over one variable, as Markdown."""
    title = f"{HEADS[variable]}{', lazy' if lazy else ''}"
    sizes = [size_of(variable, value) for value in values]
    lines = [f"| {title} | seconds | peak memory, MB |", "|---|---|---|"]
    for size, run in zip(sizes, runs, strict=True):
        cells = [format(run[name], form) for name, form in FORMATS.items()]
        lines.append("| " + " | ".join([f"{size:g}" if size < 1e5 else f"{size}", *cells]) + " |")
    slopes = [exponent(sizes, [run[name] for run in runs]) for name in FORMATS]
    cells = ["–" if slope is None else f"{slope:.2f}" for slope in slopes]
    return "\n".join([*lines, f"| exponent | {' | '.join(cells)} |"])


def parse(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    for name, values in VALUES.items():
        kind = type(values[0])
        note = "along one side" if name == "pixels" else "none leaves the table out"
        add(f"--{name}", nargs="*", type=kind, default=list(values), metavar="N", help=note)
    add("--lazy", nargs="*", type=int, default=list(VALUES["pixels"]), metavar="N",
        help="pixels along one side of lazy maps")  # fmt: skip
    add("--base", type=json.loads, default={}, metavar="JSON", help=f"instead of {BASE}")
    add("--repeats", type=int, default=1, help="processes per map, of which the median counts")
    args = parser.parse_args(argv)
    if unknown := args.base.keys() - BASE.keys():
        parser.error(f"--base has no {', '.join(sorted(unknown))}")
    return args


def main(argv=None) -> int:
    args = parse(argv)
    series = [(name, getattr(args, name), False) for name in VALUES]
    series.insert(1, ("pixels", args.lazy, True))
    for variable, values, lazy in series:
        if not values:
            continue
        maps = [BASE | args.base | {"lazy": lazy, variable: value} for value in values]
        runs = [measure(settings, args.repeats) for settings in maps]
        print(table(variable, values, runs, lazy), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
