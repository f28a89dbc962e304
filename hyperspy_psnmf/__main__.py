# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmix a map from the command line: ``python -m hyperspy_psnmf [FILE] -k 3``.

Without FILE a built-in phantom is unmixed. In the output folder: the map with its
learning results (.hspy), the phase spectra (.hspy), figures (PNG), net line
intensities and, with k-factors, compositions (CSV), and the report (text).
"""

import argparse
import csv
import sys
import warnings
from pathlib import Path

import matplotlib

from hyperspy_psnmf._version import __version__


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = _parser().parse_args(argv)
    matplotlib.use("agg")  # figures go to files; there may be no screen
    with warnings.catch_warnings():
        warnings.showwarning = _tell
        return _run(args)


def _tell(message, *_, **__):
    """Show a warning without the line of code that it comes from."""
    print(f"hyperspy_psnmf: note: {message}", file=sys.stderr)


def _run(args):
    # What other packages deprecate inside is not for this reader.
    warnings.filterwarnings("ignore", module=r"(hyperspy|exspy|rsciio)\.")
    # These stand in the report, and would come once for each table.
    warnings.filterwarnings("ignore", "in the spectra, but not in|net counts below zero")
    try:
        signal = _load(args)
        _unmix(signal, args)
        written = _write(signal, args)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        print(f"hyperspy_psnmf: error: {error}", file=sys.stderr)
        return 1
    report = (args.output / "report.txt").read_text(encoding="utf-8").rstrip("\n")
    print(report, *(f"wrote {path}" for path in written), sep="\n")
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m hyperspy_psnmf",
        description="Unmix an EDS map into phases: spectra, maps and line intensities.",
    )
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="any EDS map HyperSpy reads; default: a phantom")
    add("-k", dest="k", type=int, help="number of phases (needed with FILE)")
    add("-o", "--output", type=Path, default=Path("psnmf_output"), metavar="DIR")
    add("--binning", type=_int_or_auto, default="auto", help="pixels summed along each axis")
    add("--elements", type=_comma_list, metavar="Fe,Pt", help="elements of the sample")
    add("--energy-range", type=float, nargs=2, metavar=("LOW", "HIGH"), help="in keV")
    add("--k-factors", type=_k_factors, metavar="Fe_Ka=1.45,Pt_La=5.08",
        help="Cliff-Lorimer factors; with them, compositions are given")  # fmt: skip
    add("--overwrite", action="store_true", help="replace files of an earlier run")
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
    if len(factors) < len(pairs):  # the last would win
        raise ValueError
    return factors


def _load(args):
    """Return the map to unmix; sets what a phantom knows in `args`."""
    if args.file is None:
        from hyperspy_psnmf.data import mineral_grains

        signal = mineral_grains()
        args.k = args.k or len(signal.metadata.Truth.phase_names)
        args.k_factors = args.k_factors or signal.metadata.Truth.k_factors.as_dictionary()
        return signal
    if args.k is None:
        raise ValueError("-k, the number of phases, is needed with a file")
    from hyperspy_psnmf.eds.open_map import open_map

    return open_map(args.file)


def _unmix(signal, args):
    from hyperspy_psnmf.eds.factors import check_elements
    from hyperspy_psnmf.eds.sample import set_elements

    if args.elements:
        set_elements(signal, check_elements("--elements", args.elements))
    if args.output.exists() and not args.output.is_dir():
        raise ValueError(f"-o {args.output} is no folder")
    if not args.overwrite and args.output.exists() and any(args.output.iterdir()):
        raise ValueError(f"{args.output} is not empty; -o another folder, or --overwrite")
    if args.k_factors:
        _check_factors(signal, args.k_factors)
    signal.decomposition(
        algorithm="PSNMF",
        output_dimension=args.k,
        binning=args.binning,
        energy_range=args.energy_range,
        print_info=False,
    )


def _check_factors(signal, k_factors):
    """Raise what `_quantify` would, before the work."""
    from hyperspy_psnmf.eds.factors import check_factors, check_on_axis
    from hyperspy_psnmf.eds.quantify_arguments import resolve_method

    try:
        check_on_axis("k_factors", signal, list(check_factors(k_factors)))
        resolve_method(signal, "CL")
    except (TypeError, ValueError) as error:
        raise type(error)(f"k_factors: {error}") from None


def _write(signal, args) -> list[Path]:
    """Write all results; return the files."""
    from hyperspy_psnmf.eds.element_maps import line_maps
    from hyperspy_psnmf.eds.export import intensity_table
    from hyperspy_psnmf.plot import plot_element_maps, plot_line_fit

    measured = _measure(signal)
    composition = _quantify(signal, args.k_factors) if args.k_factors else None
    figures = {"phases.png": signal.psnmf.plot()[0]}
    if measured is not None:
        figures["element_maps.png"] = plot_element_maps(line_maps(signal, measured))[0]
        figures["line_fit.png"] = plot_line_fit(measured.fit)[0]
    if composition is not None:
        figures["compositions.png"] = signal.psnmf.plot_composition(composition)[0]
    spectra, out = signal.psnmf.phase_spectra(), args.output
    out.mkdir(parents=True, exist_ok=True)
    signal.save(out / "map.hspy", overwrite=True)
    spectra.save(out / "phase_spectra.hspy", overwrite=True)
    for name, figure in figures.items():
        figure.savefig(out / name, dpi=150)
    with (out / "compositions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(intensity_table(spectra, measured, composition))
    found = composition or measured
    table = f"{composition.table()}\n" if composition else ""
    notes = "".join(f"Note: {note}.\n" for note in (found.notes if found else ()))
    report = f"{signal.psnmf.report()}\n{table}{notes}"
    (out / "report.txt").write_text(report, encoding="utf-8")
    names = ("map.hspy", "phase_spectra.hspy", *figures, "compositions.csv", "report.txt")
    return [out / name for name in names]


def _measure(signal):
    """Return the net intensities of the lines in the metadata, or None if there are none."""
    from hyperspy_psnmf.eds.line_fit import measure_lines
    from hyperspy_psnmf.eds.sample import sample_elements, sample_lines

    lines = signal._get_xray_lines_in_spectral_range(sample_lines(signal))[0]
    listed = sample_elements(signal)
    if not lines:
        return None
    try:
        return measure_lines(signal, lines, elements=listed)
    except ValueError as error:
        print(f"hyperspy_psnmf: lines are integrated by windows: {error}", file=sys.stderr)
        return measure_lines(signal, lines, method="windows", elements=listed)


def _quantify(signal, k_factors):
    """Return the composition of the elements that have a factor."""
    from hyperspy_psnmf.eds.factors import elements_without_line

    exclude = elements_without_line(signal, k_factors)
    try:
        return signal.psnmf.quantify("CL", k_factors, exclude=exclude)
    except (TypeError, ValueError) as error:
        raise type(error)(f"k_factors: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
