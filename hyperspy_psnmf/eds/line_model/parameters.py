# SPDX-License-Identifier: GPL-3.0-or-later
"""Nonlinear parameters of the spectrum model, with their priors and bounds.

In this order: spline coefficients of the logarithm of the continuum, depths of absorption edges,
logarithms of line ratios within shells, shifts of lines in keV and their skewness, the axis
(offset in keV, gain, resolution in eV, Fano term), and the fractions of photons that pile up, for
pairs of strong lines.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import block_diag
from scipy.sparse import csr_matrix

from hyperspy_psnmf.eds.line_model.detector_artefacts import MAX_PILE_UP, PILE_UP
from hyperspy_psnmf.eds.line_model.linear_model import LineModel
from hyperspy_psnmf.eds.line_model.splines import p_splines
from hyperspy_psnmf.eds.xray.detector import FWHM_PER_SIGMA, peak_fwhm, peak_fwhms
from hyperspy_psnmf.eds.xray.edges import find_edges, response

MAX_EDGE_DEPTH = 2.0  # 14 % transmitted; beyond, bulk specimens are not exponential any more
MAX_LOG_RATIO = 2.0  # a factor of 7 in either direction
MAX_SHIFT = 0.01  # keV; five standard deviations of the prior of the sum
K_RATIO_SIGMA = 0.15  # prior sigma of K-shell ratios, relative to that of L and M shells
MIN_SEPARATION = 0.5  # FWHM from the main line, for a ratio of its own
MAX_SKEWNESS = 0.6
AXIS = ("offset", "gain", "resolution", "Fano term")
MIN_WEIGHT = 0.01  # of the main line, for a ratio of its own
AXIS_BOUNDS = (0.02, 0.004, 40.0, 0.1)  # offset in keV, gain, resolution in eV, Fano term


@dataclass(frozen=True)
class ParameterPrior:
    """Standard deviations of the Gaussian priors of the parameters.

    Attributes
    ----------
    bend : float
        Of second differences of the continuum's logarithm, from knot to knot.
    depth : float
        Of absorption edges, relative to the depths for typical layers.
    ratio : float
        Of the logarithm of line ratios within one L or M shell; those of K shells, K beta
        to K alpha, are `K_RATIO_SIGMA` of it.
    shift : float
        Of the energy of a line, in keV.
    skew : float
        Of the skewness of lines of 1 keV.
    axis : tuple of float
        Offset in keV, gain, resolution in eV, Fano term.
    pile_up : float
        Of the fraction of photons that pile up.
    """

    bend: float
    depth: float
    ratio: float
    shift: float
    skew: float
    axis: tuple[float, float, float, float]
    pile_up: float


# Of the sum of all phases. Tabulated ratios of L lines are rough, and trapped charge shifts lines
# of low energy.
PRIOR_OF_SUM = ParameterPrior(
    bend=0.5,
    depth=1.0,
    ratio=0.3,
    shift=0.002,
    skew=0.03,
    axis=(0.005, 0.001, 10.0, 0.02),
    pile_up=PILE_UP,
)
# Of one phase, about the fit to the sum. Narrow: the same detector has recorded all phases.
PRIOR_PER_PHASE = ParameterPrior(
    bend=0.25,
    depth=0.5,
    ratio=0.1,
    shift=0.0005,
    skew=0.006,
    axis=(1e-5, 1e-6, 0.01, 1e-5),
    pile_up=0.1 * PILE_UP,
)


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of a spectrum, and their effect on continuum and lines.

    Attributes
    ----------
    names : list of str
    kinds : dict of slice
        "splines", "edges", "ratios", "shifts", "skews", "axis" and "pile_up".
    finer : ndarray of shape (n_energies,)
        Oversampled energies in keV.
    spread : csr_matrix of shape (n_channels, n_energies)
        The detector's response.
    kramers : ndarray of shape (n_energies,)
        The continuum where all parameters are 0.
    of_continuum : ndarray of shape (n_energies, n_parameters)
        Derivatives of the logarithm of the continuum by the parameters.
    of_lines : ndarray of shape (n_members, n_parameters)
        Derivatives of the logarithm of the lines' weights, members as in `LineModel`; 0 for
        main lines.
    depths : ndarray of shape (n_edges,)
        Expected depths, for layers of typical thickness.
    skewness : ndarray of shape (n_lines,)
        Prior standard deviation, relative to that of a line of 1 keV.
    pairs : tuple of tuple of int
        Families of lines whose photons pile up.
    """

    names: list[str]
    kinds: dict[str, slice]
    finer: np.ndarray
    spread: csr_matrix
    kramers: np.ndarray
    of_continuum: np.ndarray
    of_lines: np.ndarray
    depths: np.ndarray
    skewness: np.ndarray
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def n_lines(self) -> int:
        """Number of families of lines."""
        return self.kinds["shifts"].stop - self.kinds["shifts"].start

    def names_of(self, kind: str) -> list[str]:
        """Return the names of the parameters of one kind."""
        return self.names[self.kinds[kind]]

    @property
    def is_spline(self) -> np.ndarray:
        """Which parameters are coefficients of splines, which sum to 1."""
        return np.arange(len(self.names)) < self.kinds["splines"].stop

    def precision(self, prior: ParameterPrior) -> np.ndarray:
        """Return the inverse covariance of parameters, of shape (n_parameters, n_parameters)."""
        bends = np.diff(np.eye(self.kinds["splines"].stop), 2, axis=0) / prior.bend
        others = [
            prior.depth * self.depths,
            [
                prior.ratio * (K_RATIO_SIGMA if "_K" in name else 1.0)
                for name in self.names_of("ratios")
            ],
            [prior.shift] * self.n_lines,
            prior.skew * self.skewness,
            prior.axis,
            [prior.pile_up] * len(self.pairs),
        ]
        return block_diag(bends.T @ bends, np.diag(np.concatenate(others) ** -2.0))

    @cached_property
    def bounds(self) -> np.ndarray:
        """Lowest and highest value of each parameter, of shape (2, n_parameters)."""
        bounds = np.tile([[-np.inf], [np.inf]], len(self.names))
        for kind, low, high in (
            ("edges", 0.0, MAX_EDGE_DEPTH),
            ("ratios", -MAX_LOG_RATIO, MAX_LOG_RATIO),
            ("shifts", -MAX_SHIFT, MAX_SHIFT),
            ("skews", -MAX_SKEWNESS, MAX_SKEWNESS),
            ("axis", -np.array(AXIS_BOUNDS), AXIS_BOUNDS),
            ("pile_up", 0.0, MAX_PILE_UP),
        ):
            bounds[0, self.kinds[kind]], bounds[1, self.kinds[kind]] = low, high
        return bounds

    def bounded(self, values: np.ndarray) -> np.ndarray:
        """Return the parameters clipped to `bounds`."""
        return np.clip(values, *self.bounds)


def find_parameters(
    model: LineModel, elements, beam_energy: float, *, bulk: bool, pairs=()
) -> Parameters:
    """Return the parameters of a model's lines and continuum.

    Parameters
    ----------
    model : LineModel
    elements : iterable of str
        In the specimen.
    beam_energy : float
        In keV.
    bulk : bool
        Whether the specimen is thicker than the range of the beam's electrons.
    pairs : tuple of tuple of int
        Families of lines whose photons pile up.
    """
    low, high = model.energy[model.use][[0, -1]]
    sigma = peak_fwhms(model.resolution, model.energy) / FWHM_PER_SIGMA
    finer, spread = response(model.energy, sigma)
    basis = p_splines(finer, low, high)
    edges = find_edges(elements, low, high, bulk=bulk)
    ratios = list(_ratios(model))
    n_others = 2 * len(model.lines) + len(AXIS) + len(pairs)
    names = [f"spline {i}" for i in range(basis.shape[1])]
    names += [f"edge of {name}" for name in edges.names] + [name for name, _ in ratios]
    names += [f"shift of {line}" for line in model.lines]
    names += [f"skewness of {line}" for line in model.lines] + [*AXIS]
    names += [f"pile-up of {model.lines[a]} and {model.lines[b]}" for a, b in pairs]
    sizes = [
        basis.shape[1],
        len(edges.names),
        len(ratios),
        *[len(model.lines)] * 2,
        len(AXIS),
        len(pairs),
    ]
    ends = np.cumsum(sizes)
    kinds = ("splines", "edges", "ratios", "shifts", "skews", "axis", "pile_up")
    at_lines = edges.shapes(model.members[:, 1])
    at_lines = at_lines - at_lines[_main_lines(model)]
    which = np.array([members for _, members in ratios], dtype=float)
    return Parameters(
        names,
        {kind: slice(end - n, end) for kind, end, n in zip(kinds, ends, sizes, strict=True)},
        finer,
        spread,
        np.maximum(1.0 - finer / beam_energy, 0.0) / np.maximum(finer, low),
        np.hstack([basis, -edges.shapes(finer), np.zeros((finer.size, len(ratios) + n_others))]),
        np.hstack(
            [
                np.zeros((len(at_lines), basis.shape[1])),
                -at_lines,
                which.reshape(len(ratios), len(at_lines)).T,
                np.zeros((len(at_lines), n_others)),
            ]
        ),
        edges.depths,
        # Incomplete charge collection: photons of low energy are absorbed near the surface.
        model.main_energies**-0.5,
        tuple(pairs),
    )


def _main_lines(model):
    """Return the index of the main line of each member's family."""
    family, weight = model.members[:, 0], model.members[:, 2]
    main = {f: i for i, f in reversed(list(enumerate(family))) if weight[i] == 1.0}
    return np.array([main[f] for f in family], dtype=int)


def _ratios(model):
    """Yield names, and members of a shell that are separated from the main line."""
    energy, weight = model.members[:, 1], model.members[:, 2]
    for i in np.unique(_main_lines(model)):
        family = int(model.members[i, 0])
        line = model.lines[family]
        of_family = model.members[:, 0] == family
        separation = MIN_SEPARATION * peak_fwhm(model.resolution, energy[i])
        below, above = energy < energy[i] - separation, energy > energy[i] + separation
        for side, word in ((of_family & below, "below"), (of_family & above, "above")):
            if weight[side].sum() > MIN_WEIGHT:
                yield f"lines {word} {line}", side
