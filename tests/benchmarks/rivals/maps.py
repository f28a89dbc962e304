# SPDX-License-Identifier: GPL-3.0-or-later
"""The maps on which methods are compared.

- phantoms of `hyperspy_psnmf.data`, of other shapes and seeds than the tables of the user guide;
- a map of NIST glass K412, MgO and Fe: Poisson counts of measured spectra, so of a real
  detector, mixed like the phases of the mineral phantom;
- two real maps whose counts are thinned: methods get one part, and are judged by the other.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp
from hyperspy.api import load

from hyperspy_psnmf import data
from hyperspy_psnmf.data.counting import draw_counts
from hyperspy_psnmf.eds.lines.windows import intensity_signals
from hyperspy_psnmf.eds.signals.build import spectra_like
from hyperspy_psnmf.nmf.counts.matrix import count_matrix
from hyperspy_psnmf.nmf.held_out.count_splitting import thin_counts
from tests.benchmarks.fidelity_figures import true_phases
from tests.benchmarks.rivals.exchange import Given

FROM_FILES = ("k412", "real_core_shell", "real_ree")  # in $PSNMF_TEST_DATA
PHANTOMS = {
    "minerals": data.mineral_grains,
    "core_shell": data.core_shell_particles,
    "spheres": data.embedded_spheres,
    "boundary": data.grain_boundary,
    "isolated": data.isolated_particles,
}
SHAPES = {5: (120, 136), 6: (144, 112)}  # by seed
# Glass K412 by weight, and spectra of it, of MgO and of Fe.
GLASS = {"O": 0.4276, "Mg": 0.1166, "Al": 0.0491, "Si": 0.2120, "Ca": 0.1090, "Fe": 0.0774}
K412_FILES = ([f"K412_{i}" for i in range(5)], ["MgO_std"], ["Fe_std"])


@dataclass(frozen=True, eq=False)
class Case:
    """A map, and what methods are judged by.

    Attributes
    ----------
    given : Given
    signal : EDSSpectrum
        With the truth in its metadata, if there is one.
    left_out : csr_array, or None
        Counts that `given` does not have.
    fraction : float
        Of all counts that are left out.
    """

    given: Given
    signal: object
    left_out: sp.csr_array | None = None
    fraction: float = np.nan

    @property
    def truth(self):
        """Phases and maps of a simulated map; None of a real one."""
        return self.signal.metadata.get_item("Truth")


def window_operator(signal, lines: list[str]) -> np.ndarray:
    """Return eXSpy's net intensities by windows as an operator, (n_channels, n_lines)."""
    n_channels = signal.axes_manager.signal_axes[0].size
    unit = spectra_like(signal, np.eye(n_channels), "", navigation=[{"size": n_channels}])
    return np.array([np.ravel(s.data) for s in intensity_signals(unit, lines)]).T


def given_map(signal, n_phases: int, counts=None, image=None) -> Given:
    """Return what methods are given of a signal."""
    metadata, axis = signal.metadata, signal.axes_manager.signal_axes[0]
    kind = "SEM" if "SEM" in metadata.Acquisition_instrument else "TEM"
    instrument = metadata.Acquisition_instrument[kind]
    lines = list(metadata.Sample.xray_lines)
    return Given(
        counts=count_matrix(signal.data, n_jobs=None) if counts is None else counts,
        windows=window_operator(signal, lines),
        shape=signal.data.shape[:2],
        scale=axis.scale,
        offset=axis.offset,
        kind=kind,
        beam_energy=instrument.beam_energy,
        resolution=instrument.Detector.EDS.energy_resolution_MnKa,
        take_off_angle=instrument.Detector.EDS.get_item("elevation_angle", 35.0),
        n_phases=n_phases,
        elements=list(metadata.Sample.elements),
        xray_lines=lines,
        thickness=metadata.get_item("Sample.thickness", np.nan),
        density=metadata.get_item("Sample.density", np.nan),
        image=np.zeros(0) if image is None else image,
    )


def phantom(name: str, counts: float, seed: int) -> Case:
    """Return a phantom on the shape of its seed."""
    signal = PHANTOMS[name](shape=SHAPES[seed], counts=counts, seed=seed)
    return Case(given_map(signal, len(true_phases(signal.metadata.Truth)[0])), signal)


def k412(counts: float, seed: int) -> Case:
    """Return Poisson counts of spectra of glass K412, MgO and Fe, mixed as the minerals are.

    k-factors follow from the glass, whose composition is certified.
    """
    from tests.eds.lines.k412 import one_phase

    measured = [one_phase(files, list(GLASS))[0].isig[0.1:19.9] for files in K412_FILES]
    spectra = np.column_stack([s.data[0] for s in measured]).astype(float)
    truth = {"phase_names": ["K412", "MgO", "Fe"], "factors": spectra / spectra.sum(axis=0)}
    minerals = data.mineral_grains(shape=SHAPES[seed], counts=counts, seed=seed)
    truth["loadings"] = minerals.metadata.Truth.loadings
    rng = np.random.default_rng(seed)
    drawn = draw_counts(truth["loadings"], truth["factors"], rng).reshape(*SHAPES[seed], -1)
    signal = with_counts(measured[0], drawn)
    lines = [f"{element}_Ka" for element in GLASS]
    signal.set_lines(lines)
    lines = list(signal.metadata.Sample.xray_lines)  # in alphabetical order
    net = truth["factors"][:, 0] @ window_operator(signal, lines)
    truth["k_factors"] = {
        line: 100 * GLASS[line.split("_")[0]] / n for line, n in zip(lines, net, strict=True)
    }
    signal.metadata.set_item("Truth", truth)
    return Case(given_map(signal, 3), signal)


def with_counts(signal, counts: np.ndarray):
    """Return a map with the metadata and energy axis of a signal."""
    axes = [{"size": size, "navigate": True} for size in counts.shape[:2]]
    energy = signal.axes_manager.signal_axes[0].get_axis_dictionary()
    metadata = signal.metadata.as_dictionary()
    return type(signal)(counts, axes=[*axes, energy], metadata=metadata)


def _thinned(signal, n_phases, counts, seed, image=None) -> Case:
    """Return a case of `counts` per pixel; the rest is left out."""
    X = count_matrix(np.asarray(signal.data), n_jobs=None)
    fraction = 1 - counts * X.shape[0] / X.sum()
    train, left_out = thin_counts(X, fraction, np.random.default_rng(seed))
    return Case(given_map(signal, n_phases, train, image), signal, left_out, fraction)


def real_core_shell(counts: float, seed: int) -> Case:
    """Return FePt cores in shells of iron oxide on carbon (Rossouw et al. 2015), thinned."""
    from tests.helpers.real_maps import FOLDER

    signal = load(FOLDER / "core_shell.hspy")
    signal.set_elements(["C", "O", "Si", "Fe", "Cu", "Pt"])
    signal.set_lines(["C_Ka", "O_Ka", "Si_Ka", "Fe_Ka", "Cu_Ka", "Pt_La"])
    return _thinned(signal, 3, counts, seed)


def real_ree(counts: float, seed: int) -> Case:
    """Return a map of chevkinite and phosphates (SEM, 16 elements), thinned, with its image."""
    from tests.helpers.real_maps import FOLDER

    image, *_, signal = load(FOLDER / "ree_phosphate_30x30.bcf")
    return _thinned(signal.isig[0.12:19.9], 4, counts, seed, image.data)


MAPS = {name: partial(phantom, name) for name in PHANTOMS} | {
    "k412": k412,
    "real_core_shell": real_core_shell,
    "real_ree": real_ree,
}
