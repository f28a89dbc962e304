# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of ``s.psnmf`` that turns phases into elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hyperspy_psnmf import plot
from hyperspy_psnmf.accessor.old_names import takes_old_arguments
from hyperspy_psnmf.eds.lazy.decomposed import Decomposed
from hyperspy_psnmf.eds.line_model.energy_axis import EnergyCalibration
from hyperspy_psnmf.eds.lines.energy_calibration import energy_calibration
from hyperspy_psnmf.eds.quantify.element_maps import element_map_errors, element_maps
from hyperspy_psnmf.eds.quantify.options import Options
from hyperspy_psnmf.eds.quantify.quantify import quantify
from hyperspy_psnmf.eds.uncertainty.ambiguity import Ambiguity
from hyperspy_psnmf.results import Quantification

if TYPE_CHECKING:
    from hyperspy.signals import BaseSignal
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    PerPhase = float | list[float] | dict[str, float]


class Chemistry:
    """Element maps and compositions."""

    _signal: Any

    @takes_old_arguments
    def element_maps(
        self,
        xray_lines: Iterable[str] | None = None,
        *,
        intensities: str = "model",
        residuals: bool = True,
    ) -> list[BaseSignal]:
        """Return net maps of X-ray lines, from loadings times intensities of phases.

        So overlapping lines are separated by the phases they come from. By noise, a map of
        an absent line may be a little below zero; it is not clipped, so that sums are unbiased.

        Parameters
        ----------
        xray_lines : list of str, optional
            Such as ``["Fe_Ka", "Pt_La"]``; by default those of the metadata. Of the latter,
            lines that cannot be measured are left out with a warning: beyond the channels
            in use or masked, above the beam energy, below 0.12 keV, or, with "model",
            recorded with the main line of their family, as Fe_Kb is.
        intensities : {"model", "windows"}
            "model": the phases' spectra are fitted with the lines of all elements in
            the metadata, in eXSpy's families, and a smooth background. Overlapping
            lines are separated. Significant elements that the metadata do not list are fitted
            too, and a warning names them.
            "windows": eXSpy's integration windows less the background beside them.
        residuals : bool
            Add counts that the phases miss, as those of an element of a rare phase that is not
            among them, where they are more than four standard errors in a pixel, or in Gaussian
            means over up to about 13 by 13. The map is read for them; without whole counts none
            are added.

        Returns
        -------
        list of BaseSignal
            One map of counts per line, in the order asked for, like those of eXSpy's
            ``get_lines_intensity``. Masked pixels are NaN. Their standard errors are
            those of `element_map_errors`.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, such as lines that cannot be measured, or what metadata lack.
        """
        options = {"intensities": intensities, "residuals": residuals}
        return element_maps(Decomposed.read(self._signal), xray_lines, **options)

    def element_map_errors(
        self,
        xray_lines: Iterable[str] | None = None,
        *,
        intensities: str = "model",
        residuals: bool = True,
    ) -> list[BaseSignal]:
        """Return maps of the standard errors of `element_maps`, in counts.

        Parameters
        ----------
        xray_lines : list of str, optional
            Such as ``["Fe_Ka", "Pt_La"]``; by default those of the metadata that can be measured.
        intensities : {"model", "windows"}
            How net intensities are measured, by a fit to the phases' spectra or in eXSpy's
            integration windows, as for `element_maps`.
        residuals : bool
            Whether the maps have the counts that the phases miss, as for `element_maps`.

        Returns
        -------
        list of BaseSignal
            One map of 1 sigma per line, in the order asked for: of the loadings, of the phases'
            net intensities, which are common to all pixels and do not average out, and of the
            counts added. Masked pixels are NaN.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, such as lines that cannot be measured, or what metadata lack.
        """
        options = {"intensities": intensities, "residuals": residuals}
        return element_map_errors(Decomposed.read(self._signal), xray_lines, **options)

    def quantify(
        self,
        method: str | None = None,
        factors: dict | str | None = None,
        *,
        reference: dict | None = None,
        composition_units: str = "atomic",
        xray_lines: Iterable[str] | None = None,
        exclude: str | Iterable[str] = (),
        intensities: str = "model",
        absorption_correction: bool | str = "auto",
        thickness: PerPhase | None = None,
        density: PerPhase | None = None,
        take_off_angle: str | float = "auto",
        probe_area: str | float = "auto",
        live_time_per: str | None = None,
        errors: str = "total",
        ambiguity: bool | Ambiguity = False,
        confidence: float = 0.95,
        region: BaseSignal | ArrayLike | dict | None = None,
        show_progressbar: bool | None = None,
    ) -> Quantification:
        """Return the composition of each phase, with standard errors.

        Net intensities of lines go through eXSpy's ``quantification``. Standard errors
        include the Poisson noise of the spectra, the errors of unmixing, and the factors'
        errors. They do not include a wrong number of phases, nor what all fits to parts of
        the counts have in common: see `ambiguity`.

        Parameters
        ----------
        method : {"CL", "zeta", "cross_section", "k_ratios"}, optional
            Cliff-Lorimer, zeta factors or cross sections for thin specimens (EDS_TEM,
            "CL" by default). For EDS_SEM, "k_ratios": intensities over those of pure
            standards, normalised to 100 %. No ZAF correction is applied.
        factors : dict, optional
            One factor per X-ray line in any order, ``{"Fe_Ka": 1.45, ...}``, with its
            standard error if known: ``{"Fe_Ka": (1.45, 0.05), ...}``. Weight-fraction
            k-factors, zeta factors in kg/m², cross sections in barns, or intensities of
            pure standards. Each element of the sample needs one, unless excluded; those
            without a line that can be measured are left out with a warning.
            By default, for "CL", k-factors are computed from ionisation cross sections for the
            main line of each element. So are single ones, ``{"Fe_Ka": 1.45, "O_Ka":
            "computed"}``, scaled to those given. Their standard errors of 10 % for K lines,
            20 % for L, 40 % for M and about 30 % for elements lighter than Na are part of the
            errors, and a note lists them.
        reference : dict, optional
            A phase (or region) whose composition is known, in at% that sum to 100,
            ``{"Phase 1": {"Ga": 50, "As": 50}}``, by name or number. For "CL" and "k_ratios", the
            factors of its elements follow from its net intensities, and their errors are
            part of those of the other phases. Factors of other elements are computed ("CL")
            or given, relative to one of its lines that is given, too.
        composition_units : {"atomic", "weight"}
            Of tables and maps.
        xray_lines : list of str, optional
            Lines to quantify; those of `factors` by default.
        exclude : str or list of str
            Elements that are in the spectra, but not of the specimen, as
            ``("Cu", "C")``. Their lines are fitted and left out of the composition.
        intensities : {"model", "windows"}
            How net intensities are measured: by a fit of the lines of all elements in the
            metadata and a smooth background to the phases' spectra, which separates overlapping
            lines, or in eXSpy's integration windows less the background beside them.
        absorption_correction : bool or "auto"
            Correct for absorption in the specimen. "auto": for "CL", if thickness, density and
            take-off angle are known. True: "CL" needs the thickness. Uncorrected compositions
            have the error of a thickness between 0 and 200 nm (`budget()`: "absorption"), which
            is large for lines of low energy, as O Ka.
        thickness, density : float, list or dict, optional
            Thickness in nm and density in g/cm³, of all phases or of each; by default those in
            ``metadata.Sample.thickness`` and ``metadata.Sample.density``, if there are any.
            Without a density, the mean of the elements' densities is taken, as by eXSpy, which
            is far too low with gases.
        take_off_angle : "auto" or float
            In degrees; "auto" is that of the metadata.
        probe_area : "auto" or float
            Of one pixel, in nm², for cross sections.
        live_time_per : {"pixel", "map"}, optional
            Whether the live time in the metadata is that of a pixel or of the map, for zeta
            factors and cross sections with absorption correction only. eXSpy's is that of a
            pixel, as by ``s.set_microscope_parameters(live_time=...)``. Files of Phenom,
            JEOL, Bruker, EDAX and Velox have that of the map, which is recognised where
            the original metadata have the same number. Where they have another one, or in a
            file of Gatan, this argument is required.
        errors : {"total", "counting"}
            "total" includes the errors of unmixing: spectra are found again without a quarter of
            the counts, eight times, which takes about as long as the decomposition. They are not
            known where another algorithm found the spectra, or the data are no whole counts;
            ``notes`` say so. "counting" leaves them out.
        ambiguity : bool or Ambiguity
            Give the band of compositions of other factorisations of equal likelihood: True
            searches for them, which takes as long as `ambiguity`; what that returned is used
            without another search.
        confidence : float
            Of these bands, where `ambiguity` is True; otherwise that of the Ambiguity.
        region : ndarray or BaseSignal of bool, or dict of them by name, optional
            Quantify regions of the map instead of phases, True inside, such as
            ``s.psnmf.label_map() == 1``; arrays in array order, as ``s.data``. Net intensities
            are those of the phases per count times the counts of the phases inside. Thickness and
            density, where not a single number, are of each region then.
        show_progressbar : bool, optional
            None is HyperSpy's preference.

        Returns
        -------
        Quantification
            With ``table()``, ``plot()``, ``plot_line_fit()``, ``budget()``, ``rows()``,
            ``to_dataframe()``, ``maps()``, ``formulas()``, ``atomic`` and ``weight``. Below three
            standard deviations of a blank a table shows the detection limit. Phases with too few
            counts are NaN.
            ``notes`` list the elements that compositions are normalised to, other elements in
            the spectra, and what the errors do not include.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, or what the metadata lack and the call that sets it.
        """
        options = Options(
            method=method,
            factors=factors,
            reference=reference,
            composition_units=composition_units,
            xray_lines=xray_lines,
            exclude=exclude,
            intensities=intensities,
            absorption_correction=absorption_correction,
            thickness=thickness,
            density=density,
            take_off_angle=take_off_angle,
            probe_area=probe_area,
            live_time_per=live_time_per,
            errors=errors,
            ambiguity=ambiguity,
            confidence=confidence,
            region=region,
            show_progressbar=show_progressbar,
        )
        return Quantification.made_of(quantify(Decomposed.read(self._signal), options))

    def energy_calibration(self) -> EnergyCalibration:
        """Determine offset, gain and resolution of the energy axis from X-ray lines.

        Offsets of up to 60 eV and gains of up to 1 % are found from the strong lines of the
        elements in the metadata, in the spectrum of the whole map, before or after a
        decomposition. Lines are measured there; ``axes_manager`` is left as it is.

        Returns
        -------
        EnergyCalibration
            ``offset`` (keV), ``gain`` and ``resolution`` (FWHM at Mn Ka, eV) with standard
            errors, and ``shift(energy)`` and ``shift_error(energy)`` in keV: a line of
            energy E is recorded at E + offset + gain E.

        Raises
        ------
        ValueError
            If the metadata list no element with X-ray lines, no beam energy or no energy
            resolution, or if the energy axis falls or is not uniform.
        """
        return energy_calibration(self._signal)

    @takes_old_arguments
    def plot_element_maps(
        self, xray_lines: Iterable[str] | None = None, *, intensities: str = "model"
    ) -> tuple[Figure, NDArray]:
        """Plot net maps of X-ray lines side by side.

        Parameters
        ----------
        xray_lines : list of str, optional
            Such as ``["Fe_Ka", "Pt_La"]``; by default those of the metadata that can be measured.
        intensities : {"model", "windows"}
            How net intensities are measured, by a fit to the phases' spectra or in eXSpy's
            integration windows, as for `element_maps`.

        Returns
        -------
        matplotlib.figure.Figure
        numpy.ndarray of matplotlib.axes.Axes, of shape (n_lines,)
        """
        return plot.plot_element_maps(self.element_maps(xray_lines, intensities=intensities))
