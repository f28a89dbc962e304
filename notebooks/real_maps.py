# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the real maps that the tests use: ``python notebooks/real_maps.py FOLDER [OUTPUT]``.

Writes, for each map in FOLDER, the phases with their spectra, the residuals and the band of
factorisations that fit as well, and prints the methods paragraph.
"""

import sys
import warnings
from pathlib import Path

import hyperspy.api as hs
import matplotlib

MAPS = {
    # file: number of phases, elements, energy range without the detector's zero peak
    "core_shell.hspy": (3, ["C", "Cu", "Fe", "O", "Pt"], None),
    "mineral_lamella_88.hspy": (3, ["Al", "Ca", "Cu", "Fe", "Mg", "O", "Si"], None),
    "bcf_v2_50x50px.bcf": (2, ["Ag", "Al"], (0.12, 12.0)),
}


def load(path):
    """Return the map in a file; Bruker files hold a list, the map last."""
    loaded = hs.load(path)
    return loaded[-1] if isinstance(loaded, list) else loaded


def draw(path, output, n_phases, elements, energy_range):
    """Unmix one map and write its figures."""
    s = load(path)
    s.set_elements(elements)
    s.set_lines([])
    s.decomposition(
        algorithm="PSNMF", output_dimension=n_phases, energy_range=energy_range, print_info=False
    )
    figures = {"phases": s.psnmf.plot, "residuals": s.psnmf.residuals().plot,
               "ambiguity": s.psnmf.ambiguity().plot}  # fmt: skip
    for name, plot in figures.items():
        plot()[0].savefig(output / f"{path.stem}_{name}.png", dpi=100)
    print(s.psnmf.report())  # noqa: T201 - a script


def main(folder, output="real_maps"):
    """Draw all maps that are in the folder."""
    matplotlib.use("agg")
    warnings.simplefilter("ignore")
    output = Path(output)
    output.mkdir(exist_ok=True)
    for name, settings in MAPS.items():
        if (Path(folder) / name).exists():
            draw(Path(folder) / name, output, *settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
