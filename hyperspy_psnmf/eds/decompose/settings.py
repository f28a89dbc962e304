# SPDX-License-Identifier: GPL-3.0-or-later
"""Keywords of ``s.decomposition(algorithm="PSNMF")``, as one object."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hyperspy_psnmf.eds.decompose.known_phases import read_phases
from hyperspy_psnmf.eds.lazy.memory import resolve_max_memory
from hyperspy_psnmf.nmf.validation import check_choice, check_int, check_scale, volume_weight

SPECTRA = ("auto", "lines", "free")


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """Settings of a decomposition: keywords, which are checked as far as no map is needed.

    Parameters
    ----------
    algorithm : "PSNMF", PSNMF or PoissonNMF
        The method, or an estimator with its own parameters, which may not be given as
        keywords then.
    output_dimension : int or "auto"
        Number of phases, the fixed ones included; that of `phases` by default. "auto" takes the
        estimate of ``s.psnmf.estimate_number_of_components()``.
    binning : "auto", int or tuple of int
        Pixels summed to find the spectra: along each spatial axis, or one
        number per axis in (x, y) order. "auto" is nearest to 4000 counts per
        bin for the median pixel, halved as long as the held-out deviance falls, as where
        features are small; with spectra made of lines, until there are 256 bins, of 500
        counts at least.
    energy_binning : "auto" or int
        Channels summed while the binned maps are factorised; "auto" is 40 eV.
        Spectra have full energy resolution in the end.
    energy_range : (float, float), optional
        Energies used, in keV; the rest counts as masked.
    init : {"auto", "nndsvdar", "vertex", "random"} or array (output_dimension, n_channels)
        Spectra to start from. "auto" tries each and continues with the most likely one.
    fixed_spectra : EDS signal or array of shape (n_fixed, n_channels), optional
        Spectra of phases that are not fitted; they come first in the result.
    absent : dict, optional
        Elements excluded from a phase, as ``{phase: [elements]}``, by its number or name in the
        map's earlier result of as many phases: it is the phase most like that one before elements
        are excluded. Order and names of phases stay those of that result. Without one, phases have
        numbers by their counts in the binned map. At the lines of these elements, the phase has
        background only, or with ``spectra="lines"`` no lines of them.
    phases : dict, optional
        What is known of phases, by a name for each: a fixed spectrum, or elements that are not in
        the phase, as ``{"film": {"spectrum": film}, "core": {"absent": ["Pt"]}, "shell": {}}``, in
        place of `fixed_spectra` and `absent`. No earlier decomposition is needed: elements
        are excluded from the phase that loses least of its counts by that. One phase may have
        a name only, where it is the one left. Fixed phases come first in the result,
        and the others in the order of their counts.
    parsimony : bool, optional
        Take the simplest of the factorisations that fit the counts equally well; by default True,
        unless `volume` is given. Of free spectra, loadings that are not significant are zero, a
        phase in constant proportion to another is merged with it, and a matrix in varying
        proportion to a phase is subtracted from it; of spectra made of lines, few phases per pixel
        and few elements per phase decide. ``s.psnmf.ambiguity()`` gives the range of the others.
        False is maximum likelihood of free spectra.
    volume : float, optional
        In place of parsimony: weight of a penalty on the volume that free spectra span. 0, as
        ``parsimony=False``, is maximum likelihood.
    spectra : {"auto", "lines", "free"}
        "lines" makes the spectra of X-ray lines and continuum, of the elements listed and of
        those found in the sum of the map; they deviate from that, channel by channel, as far
        as it predicts held-out counts. Fewer numbers than channels need fewer counts, and what
        decides among equally good fits are few phases per pixel and few elements per phase.
        "free" takes each channel by itself. "auto" is "lines" where the metadata have a beam
        energy and a detector resolution, the energy axis is uniform and rises, and there is
        parsimony, so no `volume`; else it is "free".
    refinement : {"fixed", "joint"}
        Whether the spectra are fixed at full resolution or updated too, as
        published.
    smoothing : bool or float
        Adaptive smoothing of the maps at full resolution: weight of neighbouring pixels that
        agree within errors, relative to the pixel itself. True is 1, False or 0 is none. Edges
        are not smoothed.
    guide : BaseSignal, ndarray or list of these, optional
        Images of the same area (HAADF, backscattered electrons), for the smoothing: where
        loadings vary with an image around a pixel, they are estimated from it too. Its noise,
        and the sign and size of its contrast, are found from the map; one that has nothing to
        do with it has no effect. Of the map's shape in array order or a multiple of it, or with
        calibrated axes that cover the map.
    navigation_mask : ndarray, BaseSignal or float, optional
        Pixels left out (True), an array in (x, y) order; a float is the
        threshold of ``vacuum_mask``, on EDS_TEM signals.
    signal_mask : ndarray or BaseSignal, optional
        Channels left out (True).
    counts_per_unit : float, optional
        Factor from the data to counts, for rates (the live time of a pixel), means of frames
        (their number) or a map divided by its maximum (that maximum); 1 by default. Products
        within 0.02 of whole numbers are rounded to them. Loadings and all results from them
        are in these counts. The signal's data stay as they are,
        and so does the unit of a threshold for `navigation_mask`.
    return_info : bool
        Return the fitted estimator.
    print_info : bool
        Print the settings chosen and the convergence.
    show_progressbar : bool, optional
        None is HyperSpy's preference.
    max_iter : int
        Iterations of each fit to the binned map at most.
    tol : float
        Relative KKT residual at which to stop, in nats per count.
    random_state : int, Generator, RandomState or None
        Seed of the start.
    n_jobs : int or None
        Threads; None is all cores.
    max_memory : "auto", int or str
        Bytes, or as in "2 GB". The counts of a lazy signal stay in memory if all that is made
        of them, eleven times their sparse matrix, fits in. Otherwise an eleventh of it is
        for the counts, and the others are kept in temporary files, in the folder of
        ``dask.config.get("temporary-directory")`` or the system's; each thread works on
        blocks of a thirty-second, and on tiles for the smoothing of about six times that.
        The binned map is a third of it at most, 64 MB to 0.5 GB: bins chosen
        automatically are doubled where they would be more. On a cluster counts are always
        on its workers. It does not bound what comes on top: the chunks being read, one or
        32 MB in each thread, and for each pixel about 55 bytes and 30 for each phase.
        "auto" is a quarter of the available memory, and 1.5 GB at most.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """

    algorithm: Any = "PSNMF"
    output_dimension: Any = None
    binning: Any = "auto"
    energy_binning: Any = "auto"
    energy_range: Any = None
    init: Any = "auto"
    fixed_spectra: Any = None
    absent: Any = None
    phases: Any = None
    parsimony: Any = None
    volume: Any = None
    spectra: Any = "auto"
    refinement: Any = "fixed"
    smoothing: Any = True
    guide: Any = None
    navigation_mask: Any = None
    signal_mask: Any = None
    counts_per_unit: Any = None
    return_info: bool = False
    print_info: bool = True
    show_progressbar: bool | None = None
    max_iter: Any = 500
    tol: Any = 1e-5
    random_state: Any = 0
    n_jobs: Any = None
    max_memory: Any = "auto"

    def __post_init__(self):
        """Raise TypeError or ValueError, naming the argument."""
        resolve_max_memory(self.max_memory)
        check_scale("counts_per_unit", self.counts_per_unit)
        check_choice("spectra", self.spectra, SPECTRA)
        if not self.is_parsimonious and self.spectra == "lines":
            name = "parsimony" if self.volume is None else "volume"
            raise ValueError(
                f"{name}={getattr(self, name)} is for spectra='free': leave out {name} or "
                "spectra='lines'"
            )
        self._check_phases()
        k = self.n_phases
        if k is not None and not self.makes_estimator and k != self.algorithm.n_components:
            raise ValueError(
                f"output_dimension={k} is not the estimator's "
                f"n_components={self.algorithm.n_components}"
            )
        if k is None and not isinstance(self.init, str):
            raise ValueError(
                "init has a number of spectra: give it as output_dimension, not 'auto'"
            )
        if k is None and self.absent is not None:
            raise ValueError(
                "absent names phases of a result: give their number as output_dimension, not 'auto'"
            )

    def _check_phases(self):
        if self.phases is None:
            return
        for name in ("fixed_spectra", "absent"):
            if getattr(self, name) is not None:
                raise ValueError(f"phases has what {name} would set: leave one of them out")
        given, k = read_phases(self.phases), self.n_phases
        if k is None:
            raise ValueError("phases needs a number of phases as output_dimension, not 'auto'")
        if k < len(given.names):
            raise ValueError(f"output_dimension={k} is less than the number of phases in phases")
        if k > len(given.names) and given.rest:
            raise ValueError(
                f"phases does not say which is {given.rest[0]!r}: {k - len(given.names) + 1} are "
                f"left of output_dimension={k}. Name it afterwards by s.psnmf.phase_names"
            )

    @property
    def is_parsimonious(self) -> bool:
        """Whether parsimony decides among factorisations that fit equally well."""
        return volume_weight(self.parsimony, self.volume) is None

    @property
    def makes_estimator(self) -> bool:
        """Whether the estimator is made from these settings, or given as `algorithm`."""
        return isinstance(self.algorithm, str)

    @property
    def n_phases(self) -> int | None:
        """Number of phases, or None where it is to be estimated."""
        n_phases = self.output_dimension
        if n_phases is None and isinstance(self.phases, Mapping):
            n_phases = len(self.phases)
        if n_phases is None and not self.makes_estimator:
            n_phases = self.algorithm.n_components
        if n_phases is None:
            raise ValueError("output_dimension, the number of phases, must be given")
        if isinstance(n_phases, str) and n_phases == "auto":
            if self.makes_estimator:
                return None
            raise ValueError(
                "output_dimension='auto' needs algorithm='PSNMF': an estimator has its n_components"
            )
        return check_int("output_dimension", n_phases)
