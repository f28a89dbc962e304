# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra of NIST glass K412 and of its standards, as maps of one phase."""

import exspy
import numpy as np

from tests.helpers.real_maps import FOLDER

# k-ratios that NIST's own fit gives.
K_RATIOS = {"Mg": 0.1473, "Al": 0.0668, "Si": 0.3506, "Ca": 0.1921, "Fe": 0.0669}
STANDARDS = {"Mg": ("MgO", "O"), "Al": ("Al2O3", "O"), "Si": ("SiO2", "O"), "Ca": ("CaF2", "F"),
             "Fe": ("Fe", None)}  # fmt: skip


def read_msa(name):
    """Return the counts of a file in EMSA/MAS format, and its header."""
    lines = (FOLDER / "k412" / f"{name}.msa").read_text(errors="ignore").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("#SPECTRUM"))
    pairs = (line[1:].split(":", 1) for line in lines[:start] if ":" in line)
    header = {key.strip(): value.strip() for key, value in pairs}
    counts = []
    for line in lines[start + 1 :]:
        if line.startswith("#"):
            break
        counts += [float(value) for value in line.replace(",", " ").split()]
    return np.array(counts[: int(float(header["NPOINTS"]))]), header


def one_phase(names, elements):
    """Return a decomposed map of two equal pixels, and the dose of one in nA s.

    Parameters
    ----------
    names : list of str
        Files whose spectra are summed.
    elements : list of str
    """
    spectra, headers = zip(*map(read_msa, names), strict=True)
    counts, header = sum(spectra), headers[0]
    s = exspy.signals.EDSSEMSpectrum(np.array([counts, counts]).astype("uint32"))
    axis = s.axes_manager.signal_axes[0]
    axis.scale, axis.offset = (float(header[key]) / 1000 for key in ("XPERCHAN", "OFFSET"))
    axis.units, axis.name = "keV", "Energy"
    s.set_microscope_parameters(beam_energy=20, energy_resolution_MnKa=130)
    s.set_elements(elements)
    results = s.learning_results
    results.factors, results.loadings = (
        (counts / counts.sum())[:, None],
        np.full((2, 1), counts.sum()),
    )
    results.decomposition_algorithm, results.output_dimension = "known", 1
    return s, sum(float(one["LIVETIME"]) * float(one["PROBECUR"]) for one in headers)
