# SPDX-License-Identifier: GPL-3.0-or-later
"""Fidelity on the phantoms: ``python -m tests.benchmarks.fidelity --seeds 0 1 2``.

Prints a table for each phantom, medians over the seeds, with

- angle: between the true and the found spectrum of each phase, in degrees;
- at%: the largest error of an element in each phase, by line ratios, against the same
  line ratios of the true spectrum;
- rec.: relative Frobenius distance to the noise-free counts;
- edge: width of the interface from 10 to 90 %, in pixels;
- kept: share of their counts that isolated particles keep in the maps;
- nats: divergence of the counts from the fit, less that from the truth. It is negative
  where the fit follows the noise, and infinite where the fit has no intensity at a count;
- s: seconds.

The floor's angles and at% are those of the most likely spectra for the true maps, its
other figures those of the most likely maps, pixel by pixel, for the true spectra.
Method psnmf_known is given the true spectra: with it, edge and kept show what a spatial
prior does to the maps. sklearn_kl and stock_nmf take minutes per map: leave them out
by ``--methods``.
"""

import argparse
import ast
import json
import sys
import warnings
from functools import partial

import numpy as np
from hyperspy.defaults_parser import preferences

from hyperspy_psnmf import data
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from tests.benchmarks.fidelity_figures import figures, true_phases
from tests.benchmarks.fidelity_methods import METHODS, maps_floor, spectra_floor

PHANTOMS = {
    "mineral_grains": data.mineral_grains,
    "embedded_spheres": data.embedded_spheres,
    "core_shell_particles": data.core_shell_particles,
    "core_shell_5_pixels": partial(data.core_shell_particles, diameter=5),
    "isolated_particles": data.isolated_particles,
    "grain_boundary": data.grain_boundary,
    "sharp_interface": data.sharp_interface,
    "solid_solution": data.solid_solution,
    "sem_two_phases": data.sem_two_phases,
}
TAKE_SETTINGS = ("psnmf", "psnmf_free", "psnmf_known")
SCALARS = {"reconstruction": "rec.", "edge_width": "edge", "kept": "kept", "excess": "nats",
           "seconds": "s"}  # fmt: skip
FORMATS = {"reconstruction": ".4f", "edge_width": ".2f", "kept": ".3f", "excess": ".0f",
           "seconds": ".1f"}  # fmt: skip


def floors(signal, X) -> dict[str, object]:
    """Figures of the best that any method can hope for."""
    spectra = figures(signal, X, spectra_floor(signal, X))
    return figures(signal, X, maps_floor(signal, X)) | {
        name: spectra[name] for name in ("angles", "at_percent")
    }


def judge(phantom, methods, *, seed, counts, shape, k_offset=0, settings=None) -> dict[str, dict]:
    """Figures of each method, and of the floors, on one phantom.

    Parameters
    ----------
    phantom : str
        Name in `PHANTOMS`.
    methods : sequence of str
        Names in `METHODS`.
    seed, counts, shape :
        Of the phantom.
    k_offset : int
        Added to the true number of components.
    settings : dict, optional
        Keywords for the methods in `TAKE_SETTINGS`.
    """
    signal = PHANTOMS[phantom](seed=seed, counts=counts, shape=shape)
    X = count_matrix(signal.data, n_jobs=None)
    k = len(true_phases(signal.metadata.Truth)[0]) + k_offset
    result = {"floor": floors(signal, X)}
    for method in methods:
        chosen = (settings or {}) if method in TAKE_SETTINGS else {}
        result[method] = figures(signal, X, METHODS[method](signal, X, k, **chosen))
    return result


def phase_names(phantom: str) -> list[str]:
    """Names of the phases to find in a phantom."""
    return true_phases(PHANTOMS[phantom](shape=(2, 3)).metadata.Truth)[0]


def median(runs: list[dict]) -> dict[str, object]:
    """Median over runs of each figure."""
    return {name: np.median([run[name] for run in runs], axis=0) for name in runs[0]}


def table(names: list[str], rows: dict[str, dict]) -> str:
    """Return rows of figures as text; a figure without meaning is a dash."""
    used = [name for name in SCALARS if any(name in row for row in rows.values())]
    width = 6 * len(names) + 1
    header = f"  {'':14s}{'angle':>{width}s} {'at%':>{width}s}"
    lines = [header + "".join(f"{SCALARS[name]:>9s}" for name in used)]
    for method, row in rows.items():
        missing = np.full(len(names), np.nan)
        cells = [
            " ".join(_cell(value, ".1f", 5) for value in row.get(name, missing)).rjust(width)
            for name in ("angles", "at_percent")
        ]
        scalars = "".join(_cell(row.get(name, np.nan), FORMATS[name], 9) for name in used)
        lines.append(f"  {method:14s}{' '.join(cells)}{scalars}")
    return "\n".join(lines)


def _cell(value, form, width):
    return ("–" if np.isnan(value) else format(value, form)).rjust(width)


def _plain(row):
    """JSON knows no arrays, no NaN and no infinity."""
    return {
        name: [_number(v) for v in value] if np.ndim(value) else _number(value)
        for name, value in row.items()
    }


def _number(value):
    return float(value) if np.isfinite(value) else None


def _setting(text):
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def parse(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--phantoms", nargs="+", choices=PHANTOMS, default=list(PHANTOMS), metavar="NAME")
    add("--methods", nargs="*", choices=METHODS, default=list(METHODS), metavar="NAME")
    add("--shape", type=int, nargs=2, default=(128, 128), metavar=("NY", "NX"))
    add("--counts", type=float, nargs="+", default=[300], help="per pixel")
    add("--seeds", type=int, nargs="+", default=[0])
    add("--k-offset", type=int, default=0, help="1 or -1: a wrong number of components")
    add("--set", type=_setting, nargs="+", default=[], metavar="KEY=VALUE", dest="settings",
        help="keywords of the methods psnmf and psnmf_known")  # fmt: skip
    add("--json", metavar="FILE", help="write all figures of all seeds")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    warnings.simplefilter("ignore")
    preferences.General.show_progressbar = False
    chosen = {"shape": tuple(args.shape), "k_offset": args.k_offset}
    settings = dict(args.settings)
    print(f"{chosen}, seeds {args.seeds}, psnmf with {settings or 'its defaults'}")
    records = []
    for phantom in args.phantoms:
        names = phase_names(phantom)
        for counts in args.counts:
            runs = [
                judge(phantom, args.methods, seed=seed, counts=counts, settings=settings, **chosen)
                for seed in args.seeds
            ]
            rows = {method: median([run[method] for run in runs]) for method in runs[0]}
            print(f"\n{phantom}, {counts:g} counts: {', '.join(names)}")
            print(table(names, rows), flush=True)
            for seed, run in zip(args.seeds, runs, strict=True):
                about = {"phantom": phantom, "phases": names, "counts": counts, "seed": seed}
                records += [{**about, **chosen, "method": m, **_plain(run[m])} for m in run]
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"settings": settings, "runs": records}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
