# SPDX-License-Identifier: GPL-3.0-or-later
"""Constants of spectra made of lines: ``python -m tests.benchmarks.fidelity_constants``.

Prints, for each constant that may change results, what the worst angle between a true and a found
spectrum of a map does when the constant is 50 % smaller or larger: in how many maps it becomes
larger (worse) and smaller (better) by a degree or more, and the range of changes in degrees. Where
two factorisations are nearly as likely, a map goes from one to the other: tens of degrees.

Constants were chosen on the maps that are the default. Phantom sharp_interface and seeds 10 and 11
were used for none: ``--judged`` takes these.
"""

import argparse
import sys
import warnings
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from hyperspy.defaults_parser import preferences

from hyperspy_psnmf.nmf.binning import bins
from hyperspy_psnmf.nmf.lines import channel_groups, channels, costs, criterion, factorise
from hyperspy_psnmf.nmf.method import binned_lines
from tests.benchmarks.fidelity import PHANTOMS
from tests.benchmarks.fidelity_figures import match, true_phases
from tests.benchmarks.fidelity_methods import psnmf

TUNED = ("mineral_grains", "core_shell_particles", "grain_boundary", "isolated_particles",
         "embedded_spheres", "sem_two_phases")  # fmt: skip
JUDGED = ("sharp_interface", *TUNED)
SEEDS = {False: (0, 1), True: (10, 11)}  # by whether they are judged
FACTORS = (0.5, 1.5)
NOTICEABLE = 1.0  # degrees

COSTS = {
    "cost of a loading": "loading",
    "weight of patterns": "pattern",
    "cost of an element": "element",
}
IN_MODULES = {
    "MIN_DECREASE": criterion,
    "RIDGE": criterion,
    "BINS_OF_LINES": bins,
    "COUNTS_OF_LINES": bins,
    "COUNTS_PER_BIN": bins,
    "BINS_PER_REGION": bins,
    "COUNTS_TO_MERGE": bins,
    "COUNTS_PER_REGION": bins,
    "MIN_REGIONS": bins,
    "MAX_REGIONS": bins,
    "COUNTS_PER_OBSERVATION": costs,
    "MAX_LOSS": channel_groups,
    "FIRST_ALTERNATIONS": factorise,
    "MAX_RISE": factorise,
    "MIN_GAIN": channels,
    "MIN_WIDTH": channels,
}
CONSTANTS = (*COSTS, *IN_MODULES)


@contextmanager
def scaled(constant: str, factor: float):
    """Multiply a constant by a factor, integers rounded."""
    if constant in IN_MODULES:
        module = IN_MODULES[constant]
        value = getattr(module, constant)
        with patch.object(module, constant, type(value)(factor * value)):
            yield
        return
    field, default_costs = COSTS[constant], factorise.default_costs

    def scaled_costs(*args):
        usual = default_costs(*args)
        return replace(usual, **{field: factor * getattr(usual, field)})

    with (
        patch.object(factorise, "default_costs", scaled_costs),
        patch.object(binned_lines, "default_costs", scaled_costs),
    ):
        yield


def worst_angle(signal) -> float:
    """Return the largest angle between a true and a found spectrum, in degrees."""
    names, true = true_phases(signal.metadata.Truth)
    found = psnmf(signal, None, len(names))
    return float(np.nanmax(match(true.factors, found.factors)[1]))


def changes(signal, constants) -> tuple[float, np.ndarray]:
    """Return the worst angle of a map, and by how much each constant changes it.

    Returns
    -------
    usual : float
        In degrees.
    changes : ndarray of shape (n_constants, n_factors)
        In degrees.
    """
    usual, found = worst_angle(signal), np.empty((len(constants), len(FACTORS)))
    for row, constant in enumerate(constants):
        for column, factor in enumerate(FACTORS):
            with scaled(constant, factor):
                found[row, column] = worst_angle(signal) - usual
    return usual, found


def table(constants, of_maps: np.ndarray) -> str:
    """Return changes of shape (n_maps, n_constants, n_factors) as text."""
    header = [f"{f'{100 * (factor - 1):+.0f} %':>36s}" for factor in FACTORS]
    lines = [f"{'':20s}" + "".join(header)]
    for row, constant in enumerate(constants):
        cells = [_cell(of_maps[:, row, column]) for column in range(len(FACTORS))]
        lines.append(f"{constant:20s}" + "".join(f"{cell:>36s}" for cell in cells))
    return "\n".join(lines)


def _cell(values):
    worse, better = np.sum(values >= NOTICEABLE), np.sum(values <= -NOTICEABLE)
    # Adding zero makes -0.0 of what is rounded to it positive.
    low, high = (round(float(v), 1) + 0.0 for v in (values.min(), values.max()))
    return f"{worse} worse, {better} better, {low:+.1f} to {high:+.1f}"


def parse(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--judged", action="store_true", help="maps that no constant was chosen on")
    add("--constants", nargs="+", choices=CONSTANTS, default=CONSTANTS, metavar="NAME")
    add("--phantoms", nargs="+", choices=PHANTOMS, metavar="NAME")
    add("--shape", type=int, nargs=2, default=(128, 128), metavar=("NY", "NX"))
    add("--counts", type=float, default=50, help="per pixel")
    add("--seeds", type=int, nargs="+")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    warnings.simplefilter("ignore")
    preferences.General.show_progressbar = False
    of_maps = []
    for phantom in args.phantoms or (JUDGED if args.judged else TUNED):
        for seed in args.seeds or SEEDS[args.judged]:
            signal = PHANTOMS[phantom](shape=tuple(args.shape), counts=args.counts, seed=seed)
            usual, found = changes(signal, args.constants)
            print(f"{phantom}, seed {seed}: worst angle {usual:.2f} degrees", flush=True)
            of_maps.append(found)
    print(table(args.constants, np.array(of_maps)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
