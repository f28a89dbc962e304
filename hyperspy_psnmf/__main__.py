# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmix a map from the command line: ``psnmf [FILE] -k 3``, or ``python -m hyperspy_psnmf``.

Without FILE a built-in phantom is unmixed. In the output folder: the map with its
learning results (.hspy), the phase spectra (.hspy), figures (PNG), net line
intensities and compositions (CSV), and the report (text). Compositions of EDS_TEM maps are
from computed k-factors, unless given.

Files that cannot be made are listed on stderr and in the report, and the others are
written. The exit status is 0 if only lines in the metadata that cannot be measured were
left out; 1 if something asked for is missing, or nothing could be done.

``psnmf doctor``, or ``python -m hyperspy_psnmf --check``, prints versions and does a self-test.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np

from hyperspy_psnmf._version import __version__


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = _parser().parse_args(argv)
    matplotlib.use("agg")  # figures go to files; there may be no screen
    if args.check or args.file == "doctor":
        from hyperspy_psnmf import doctor

        return doctor.run()
    with warnings.catch_warnings():
        warnings.showwarning = _print_note
        return _run(args)


def _print_note(message, *_, **__):
    """Show a warning without the line of code that it comes from."""
    print(f"hyperspy_psnmf: note: {message}", file=sys.stderr)


def _run(args):
    # Deprecations inside other packages do not concern the user.
    warnings.filterwarnings("ignore", module=r"(hyperspy|exspy|rsciio)\.")
    # These are in the report, and would be repeated for each table.
    for note in ("in the spectra, but not in", "net counts below zero", "the energy axis is ",
                 "lines that the spectra do not distinguish", "the fit of lines"):  # fmt: skip
        warnings.filterwarnings("ignore", note)
    try:
        signal = _load(args)
        _unmix(signal, args)
        from hyperspy_psnmf.accessor.files import write_files

        done = write_files(signal, args.output, args.k_factors, source=args.source)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        print(f"hyperspy_psnmf: error: {error}", file=sys.stderr)
        return 1
    for name, reason in done.not_made.items():
        print(f"hyperspy_psnmf: not made: {name}: {reason}", file=sys.stderr)
    print(done.report, *(f"wrote {path}" for path in done.paths), sep="\n")
    return 0 if done.is_complete else 1


def _parser():
    parser = argparse.ArgumentParser(
        prog="psnmf" if Path(sys.argv[0]).stem == "psnmf" else "python -m hyperspy_psnmf",
        description="Unmix an EDS map into phases: spectra, maps and line intensities.",
        epilog="'doctor' in place of FILE prints versions and does a self-test, as --check does.",
    )
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="any EDS map HyperSpy reads; default: a phantom")
    add("-k", dest="k", type=int, help="number of phases (needed with FILE)")
    add("--signal", metavar="N|TITLE",
        help="which map of FILE, listed from 0, or its title; default: most counts")  # fmt: skip
    add("-o", "--output", type=Path, default=Path("psnmf_output"), metavar="DIR")
    add("--binning", type=_int_or_auto, default="auto", help="pixels summed along each axis")
    add("--spectra", choices=("auto", "lines", "free"), default="auto",
        help="spectra made of X-ray lines and continuum, of free channels, or auto")  # fmt: skip
    add("--smoothing", type=float, default=1.0, metavar="WEIGHT",
        help="of neighbouring pixels that agree, in the maps; 0 is none, default 1")  # fmt: skip
    add("--guide", metavar="FILE|auto",
        help="images of the same area for the smoothing of maps; auto: those in FILE")  # fmt: skip
    add("--elements", type=_comma_list, metavar="Fe,Pt", help="elements of the sample")
    add("--energy-range", type=float, nargs=2, metavar=("LOW", "HIGH"), help="in keV")
    add("--k-factors", type=_k_factors, metavar="Fe_Ka=1.45,Pt_La=5.08",
        help="measured Cliff-Lorimer factors, in place of computed ones")  # fmt: skip
    add("--overwrite", action="store_true", help="replace files of an earlier run")
    add("--check", action="store_true", help="print versions, do a self-test, and exit")
    add("--version", action="version", version=__version__)
    return parser


def _int_or_auto(text):
    return text if text == "auto" else int(text)


def _comma_list(text):
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError
    return parts


def _k_factors(text):
    pairs = [part.split("=") for part in _comma_list(text)]
    factors = {line.strip(): float(value) for line, value in pairs}
    if len(factors) < len(pairs):  # a line twice
        raise ValueError
    return factors


def _load(args):
    """Return the map to unmix; sets `args.source`, and `args.k` and k-factors of a phantom."""
    args.source, args.images = "", []
    if args.file is None:
        if args.signal is not None:
            raise ValueError("--signal chooses a map of a file, but there is no FILE")
        from hyperspy_psnmf.data import mineral_grains

        signal = mineral_grains()
        if args.k is None:
            args.k = len(signal.metadata.Truth.phase_names)
        args.k_factors = args.k_factors or signal.metadata.Truth.k_factors.as_dictionary()
        return signal
    if args.k is None:
        raise ValueError("-k, the number of phases, is needed with a file")
    from hyperspy_psnmf.eds.files.load import open_map

    opened = open_map(args.file, args.signal)
    args.source, args.images = opened.sentence(), opened.images
    if len(opened.entries) > 1:
        print(f"{args.file} holds", *(f"  {entry}" for entry in opened.entries), sep="\n")
    print(args.source)
    if len(opened.choices) > 1:
        print("--signal N or --signal TITLE chooses another one")
    return opened.map


def _unmix(signal, args):
    from hyperspy_psnmf.eds.images.find import find_images
    from hyperspy_psnmf.eds.quantify.factors import check_elements
    from hyperspy_psnmf.eds.signals.metadata import set_elements

    if args.elements:
        set_elements(signal, check_elements("--elements", args.elements))
    _check_folder(args.output)
    if not args.overwrite and args.output.exists() and any(args.output.iterdir()):
        raise ValueError(f"{args.output} is not empty; -o another folder, or --overwrite")
    guide = find_images("--guide", args.guide, signal, args.images)
    if args.k_factors:
        _check_factors(signal, args.k_factors, args.energy_range)
    signal.decomposition(
        algorithm="PSNMF",
        output_dimension=args.k,
        binning=args.binning,
        spectra=args.spectra,
        smoothing=args.smoothing,
        guide=guide,
        energy_range=args.energy_range,
        print_info=False,
    )


def _check_folder(folder):
    """Raise where files could not be written after the work."""
    existing = next(part for part in (folder, *folder.absolute().parents) if part.exists())
    if not existing.is_dir():
        raise ValueError(f"-o {folder} is no folder, as {existing} is a file")
    if not os.access(existing, os.W_OK):
        raise ValueError(f"-o {folder} cannot be written")


def _check_factors(signal, k_factors, energy_range):
    """Raise what quantification would, before the work."""
    from hyperspy_psnmf.eds.quantify.factors import (
        check_factors,
        elements_to_exclude,
        resolve_factors,
    )
    from hyperspy_psnmf.eds.quantify.options import resolve_method
    from hyperspy_psnmf.eds.signals.axes import channels_of_range
    from hyperspy_psnmf.eds.signals.build import spectra_like
    from hyperspy_psnmf.eds.signals.map_input import MapInput

    keep = channels_of_range(signal, energy_range or (-np.inf, np.inf))
    map_input = MapInput.of(signal, None, keep)
    counts = np.zeros(map_input.inside.size)
    spectrum = spectra_like(signal, counts, "", navigation=[], window=map_input.window)
    try:
        resolve_method(signal, "CL")
        exclude = elements_to_exclude(signal, check_factors(k_factors))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it comes again with the composition
            resolve_factors(spectrum, map_input, k_factors, exclude=exclude)
    except (TypeError, ValueError) as error:
        raise type(error)(f"k_factors: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
