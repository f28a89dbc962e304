# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF and other methods on the same counts: ``python -m tests.benchmarks.rivals``.

Each method runs in a process and an environment of its own (`environments.py`), with one thread,
and is told the number of phases, the elements, and what a microscope writes; never the truth.
The figures are explained in `judge.py`, maps in `maps.py`, and settings in `adapters`.

Maps `k412` and `real_...` need the folder of real maps ($PSNMF_TEST_DATA). All maps and methods
take many hours; with ``--results FOLDER`` a run is resumed, and what it holds is not repeated.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hyperspy.defaults_parser import preferences

from tests.benchmarks.rivals.environments import python_of
from tests.benchmarks.rivals.exchange import Returned, read_returned, write
from tests.benchmarks.rivals.judge import figures
from tests.benchmarks.rivals.maps import FROM_FILES, MAPS, SHAPES, Case
from tests.benchmarks.rivals.methods import METHODS
from tests.benchmarks.rivals.tables import tables
from tests.helpers.real_maps import FOLDER

ROOT = Path(__file__).resolve().parents[3]
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
QUIET = {"MPLBACKEND": "agg"}


def run(method: str, folder: Path, limit: float) -> Returned:
    """Return what a method makes of the map in a folder, in a process that is ended in time."""
    returned = folder / f"{method}.npz"
    if returned.exists():
        return read_returned(returned)
    call = [python_of(METHODS[method].environment), "-m", "tests.benchmarks.rivals.child"]
    log = folder / f"{method}.log"
    environment = {**os.environ, **THREADS, **QUIET, "PYTHONPATH": str(ROOT)}
    try:
        with log.open("w") as output:
            subprocess.run(
                [*call, method, folder / "given.npz", returned],
                check=True,
                cwd=ROOT,
                env=environment,
                timeout=limit,
                stdout=output,
                stderr=output,
            )
    except subprocess.TimeoutExpired:
        write(Returned(failure=f"not done in {limit:g} s"), returned)
    except subprocess.CalledProcessError as error:
        write(Returned(failure=f"ended with {error.returncode}, see {log.name}"), returned)
    return read_returned(returned)


def run_all(args, results: Path) -> Iterator[dict]:
    """Yield figures of each method on each map, as records."""
    for seed, counts, name in itertools.product(args.seeds, args.counts, args.maps):
        folder = results / f"{name}-{counts:g}-{seed}"
        if args.no_runs and not folder.exists():
            continue
        case: Case = MAPS[name](counts, seed)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "given.npz").exists():
            write(case.given, folder / "given.npz")
        phases = list(case.truth.phase_names) if case.truth is not None else []
        about = {"map": name, "counts": counts, "seed": seed, "phases": phases}
        for method in args.methods:
            if args.no_runs and not (folder / f"{method}.npz").exists():
                continue
            found = run(method, folder, args.limit)
            record = {**about, "method": method, **figures(case, found), "in": found.versions}
            print(json.dumps(record), file=sys.stderr, flush=True)
            yield record


def parse(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--maps", nargs="+", choices=MAPS, default=list(MAPS), metavar="NAME", help=str([*MAPS]))
    add("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="NAME",
        help=str([*METHODS]))  # fmt: skip
    add("--counts", nargs="+", type=float, default=[15, 50, 300], help="per pixel")
    add("--seeds", nargs="+", type=int, choices=SHAPES, default=list(SHAPES))
    add("--limit", type=float, default=600.0, metavar="SECONDS", help="for one run")
    add("--results", type=Path, metavar="FOLDER", help="keep results there, and resume from them")
    add("--no-runs", action="store_true", help="tables of what --results holds, and nothing else")
    add("--json", type=Path, metavar="FILE", help="write all figures")
    args = parser.parse_args(argv)
    if args.no_runs and args.results is None:
        parser.error("--no-runs needs --results")
    missing = [name for name in args.maps if name in FROM_FILES] if not FOLDER.is_dir() else []
    if missing:
        parser.error(f"--maps {' '.join(missing)}: no folder {FOLDER}, set PSNMF_TEST_DATA")
    return args


def main(argv=None) -> int:
    args = parse(argv)
    preferences.General.show_progressbar = False
    with tempfile.TemporaryDirectory() as temporary:
        records = list(run_all(args, args.results or Path(temporary)))
    print(tables(records))
    if args.json:
        args.json.write_text(json.dumps(records, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
