# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can choose before PSNMF runs, as traits."""

from traits.api import Bool, Enum, Float, Int, List, Property, Str, observe

from hyperspy_psnmf._compat import is_lazy, with_own_metadata
from hyperspy_psnmf.eds.decompose.settings import SPECTRA, Settings
from hyperspy_psnmf.eds.files.load import open_map, open_spectra
from hyperspy_psnmf.eds.images.find import find_images
from hyperspy_psnmf.eds.quantify.factors import check_elements
from hyperspy_psnmf.eds.signals import metadata
from hyperspy_psnmf.gui.model.messages import Identified, Map, WithMessage, action
from hyperspy_psnmf.gui.model.preview import count_per_pixel, may_have_lines, preview_binning

PREVIEWED_TRAITS = (
    "signal, auto_binning, binning, number_of_phases, estimate_number, spectra, parsimony, "
    "guide_file"
)


class ToolSettings(WithMessage):
    """Settings of a decomposition and the preview of its binning.

    Texts are parsed when they are used, so that incomplete ones raise no error before.
    """

    signal = Map(desc="the EDS map")
    filename = Str(label="File", desc="any EDS map that HyperSpy reads")
    opened = Identified(desc="an OpenedFile: the map, and other signals of its file")
    choices = List(Str, desc="maps and line scans of the file, where there are several")
    choice = Str(label="Map", desc="one of the choices")
    elements = Str(label="Elements", desc="of the specimen, as in: Fe, Pt, O")

    number_of_phases = Int(3, label="Number of phases", desc="the fixed ones included")
    estimate_number = Bool(
        False, label="Estimate it", desc="by the held-out deviance of each number"
    )
    auto_binning = Bool(True, label="Automatic", desc="by counts per bin, and by held-out deviance")
    binning = Int(4, label="Binning", desc="pixels summed along x and y to find the spectra")

    init = Enum("auto", "nndsvdar", "vertex", "random", label="Start")
    fixed_spectra_file = Str(label="Fixed spectra", desc="a file with one spectrum per phase")
    fixed_spectra = Identified(desc="a signal or an array, where there is no file")
    absent = Str(label="Absent elements", desc="excluded from a phase, as in: 0: O, C; 2: Pt")
    energy_range = Str(label="Energy range (keV)", desc="as in: 0.12, 12; empty is all")
    spectra = Enum(
        Settings.spectra, SPECTRA, label="Spectra", desc="lines: X-ray lines and continuum, better "
        "at few counts; free: each channel by itself; auto: lines where the map allows",
    )  # fmt: skip
    guide_file = Str(
        label="Images", desc="a file with images of the same area, as HAADF; auto: the map's file"
    )
    parsimony = Bool(
        True, label="Parsimony", desc="the simplest of the factorisations that fit equally well"
    )
    volume = Float(0.0, label="Volume", desc="weight of the volume of free spectra; 0 is none")
    auto_smoothing = Bool(True, label="Automatic")
    smoothing = Float(1.0, label="Smoothing", desc="weight of pixels that agree within errors")

    preview = Identified(desc="a BinnedPreview, or None where the binning does not fit")
    preview_text = Property(Str, observe="preview")
    shows_preview = Property(Bool, desc="whether a preview costs little")

    _pixel_counts = Identified()

    def _get_shows_preview(self):
        return self.signal is not None and not is_lazy(self.signal)

    def _get_preview_text(self):
        return "" if self.preview is None else self.preview.sentence()

    @observe("signal")
    def _take_signal(self, event):
        self._pixel_counts = self.preview = None
        if self.opened is not None and self.signal is not self.opened.map:
            self.trait_set(opened=None, choices=[], choice="")
        if self.signal is not None:
            self.elements = ", ".join(metadata.sample_elements(self.signal))

    def read_file(self) -> None:
        """Read the map in the file named, that with most counts if there are several."""
        self._show_opened(open_map(self.filename.strip()))

    @observe("choice")
    @action
    def _take_choice(self, event):
        """Take another map of the file."""
        now = "" if self.opened is None else str(self.opened.chosen)
        if self.choice == now:
            return
        if self.choice not in self.choices:
            wrong, self.choice = self.choice, now
            there = "; ".join(self.choices) or "nothing, as no file with several maps is open"
            raise ValueError(f"choice: {wrong!r} is not there, only {there}")
        self._show_opened(self.opened.select(int(self.choice.partition(":")[0])))

    def _show_opened(self, opened):
        choices = [str(entry) for entry in opened.choices]
        # Choices before the choice, which views look for among them.
        self.opened, self.choices = opened, choices if len(choices) > 1 else []
        self.choice = str(opened.chosen)
        self.signal = opened.map
        self.show_message(opened.sentence())

    @action
    def update_preview(self) -> None:
        """Bin the map's counts anew; reads all data once."""
        self.preview = None  # until there is a new one
        signal = self.require_signal()
        if self._pixel_counts is None:
            self._pixel_counts = count_per_pixel(signal)
        binning = "auto" if self.auto_binning else self.binning
        n_phases = 1 if self.estimate_number else self.number_of_phases
        of_lines = self.spectra != "free" and self.parsimony and may_have_lines(signal)
        images = self._find_images()
        self.preview = preview_binning(
            signal, self._pixel_counts, binning, n_phases, of_lines=of_lines, images=images
        )

    def arguments(self) -> dict:
        """Return the keyword arguments of `decompose`.

        Raises
        ------
        TypeError, ValueError
            For texts that cannot be read; `decompose` checks the values against the map.
        """
        return {
            "output_dimension": "auto" if self.estimate_number else self.number_of_phases,
            "binning": "auto" if self.auto_binning else self.binning,
            "init": self.init,
            "fixed_spectra": self._read_fixed_spectra(),
            "absent": read_absent(self.absent),
            "energy_range": read_range(self.energy_range),
            "spectra": self.spectra,
            "parsimony": self.parsimony,
            "volume": None if self.parsimony else self.volume,
            "smoothing": True if self.auto_smoothing else self.smoothing,
            "guide": self._find_images(),
        }

    def require_signal(self):
        """Return the map, or raise."""
        if self.signal is None:
            raise ValueError("there is no map yet: open a file")
        return self.signal

    def _read_fixed_spectra(self):
        name = self.fixed_spectra_file.strip()
        return open_spectra(name) if name else self.fixed_spectra

    def _find_images(self):
        beside = self.opened.images if self.opened is not None else ()
        return find_images("guide_file", self.guide_file.strip(), self.require_signal(), beside)


def stand_in(signal, elements: str):
    """Return a signal with the same data, but metadata and learning results of its own.

    Changes of it do not change `signal`.

    Parameters
    ----------
    signal : EDSSpectrum
        The map.
    elements : str
        Those of the specimen, see `set_elements_of_text`.
    """
    other = with_own_metadata(signal)
    set_elements_of_text(other, elements)
    return other


def set_elements_of_text(signal, text: str) -> None:
    """Set the elements in a text, one line for each, unless they are set already."""
    elements = read_list(text)
    if elements and set(elements) != set(metadata.sample_elements(signal)):
        metadata.set_elements(signal, check_elements("elements", elements))


def read_list(text: str) -> list[str]:
    """Return the parts of a text that commas or spaces separate."""
    return text.replace(",", " ").split()


def read_range(text: str) -> tuple[float, float] | None:
    """Return (low, high) from a text such as "0.12, 12", or None if it is empty."""
    if not text.strip():
        return None
    try:
        low, high = (float(part) for part in read_list(text))
    except ValueError:
        raise ValueError(
            f"energy range: two numbers in keV, as in 0.12, 12, not {text!r}"
        ) from None
    return low, high


def read_absent(text: str) -> dict | None:
    """Return {phase: [elements]} from a text such as "0: O, C; Core: Pt"."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        phase, colon, elements = part.partition(":")
        phase, elements = phase.strip(), read_list(elements)
        if not (phase and colon and elements):
            raise ValueError(
                "absent elements: a phase, a colon and elements, as in 0: O, C; 2: Pt, "
                f"not {text!r}"
            )
        found[int(phase) if phase.isdigit() else phase] = elements
    return found or None
