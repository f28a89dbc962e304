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
    # What other packages deprecate inside is not for this reader.
    warnings.filterwarnings("ignore", module=r"(hyperspy|exspy|rsciio)\.")
    try:
        signal = _load(args)
        _unmix(signal, args)
        written = _write(signal, args)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        print(f"hyperspy_psnmf: error: {error}", file=sys.stderr)
        return 1
    print(signal.psnmf.report(), *(f"wrote {path}" for path in written), sep="\n")
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
    return [part.strip() for part in text.split(",") if part.strip()]


def _k_factors(text):
    pairs = (part.split("=") for part in _comma_list(text))
    return {line.strip(): float(value) for line, value in pairs}


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
    loaded = _read(args.file)
    signals = loaded if isinstance(loaded, list) else [loaded]
    maps = [s for s in signals if hasattr(s, "psnmf") and s.axes_manager.navigation_size > 1]
    if not maps:
        raise ValueError(f"{args.file} holds no EDS map, only {loaded}")
    # Vendors' files hold images and single spectra too; the map comes last.
    return maps[-1]


def _read(file):
    import hyperspy.api as hs

    try:
        return hs.load(file)
    except Exception as error:  # readers of broken files raise whatever they stumble over
        raise ValueError(f"{file} cannot be read: {type(error).__name__}: {error}") from None


def _unmix(signal, args):
    if args.elements:
        signal.set_elements(args.elements)
        signal.set_lines([])
    if args.output.exists() and not args.output.is_dir():
        raise ValueError(f"-o {args.output} is no folder")
    if not args.overwrite and args.output.exists() and any(args.output.iterdir()):
        raise ValueError(f"{args.output} is not empty; -o another folder, or --overwrite")
    signal.decomposition(
        algorithm="PSNMF",
        output_dimension=args.k,
        binning=args.binning,
        energy_range=args.energy_range,
        print_info=False,
    )


def _write(signal, args) -> list[Path]:
    """Write all results; return the files."""
    from hyperspy_psnmf.eds.line_intensities import net_intensities

    spectra = signal.psnmf.phase_spectra()
    lines = net_intensities(spectra)
    percent = _compositions(signal, args.k_factors) if args.k_factors else {}
    out = args.output
    out.mkdir(parents=True, exist_ok=True)
    signal.save(out / "map.hspy", overwrite=True)
    spectra.save(out / "phase_spectra.hspy", overwrite=True)
    figure, _ = signal.psnmf.plot()
    figure.savefig(out / "phases.png", dpi=150)
    with (out / "compositions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(_table(signal.psnmf.names, spectra, lines, percent))
    (out / "report.txt").write_text(signal.psnmf.report() + "\n", encoding="utf-8")
    names = ("map.hspy", "phase_spectra.hspy", "phases.png", "compositions.csv", "report.txt")
    return [out / name for name in names]


def _compositions(signal, k_factors):
    """Return per cent and standard errors by column; elements without factor are excluded."""
    given = {line.partition("_")[0] for line in k_factors}
    listed = {str(e) for e in signal.metadata.get_item("Sample.elements", default=[])}
    try:
        found = signal.psnmf.quantify("CL", k_factors, exclude=sorted(listed - given)).atomic
    except (TypeError, ValueError) as error:
        raise type(error)(f"k_factors: {error}") from None
    columns = {}
    for i, line in enumerate(k_factors):
        element = line.partition("_")[0]
        columns |= {f"{element} at%": found.values[:, i], f"{element} sigma": found.sigma[:, i]}
    return columns


def _table(names, spectra, lines, percent):
    """Yield a header, then one row per phase."""
    yield ["phase", "counts", *(f"{line} net counts" for line in lines), *percent]
    for i, name in enumerate(names):
        net = (f"{values[i]:.1f}" for values in lines.values())
        content = (f"{values[i]:.2f}" for values in percent.values())
        yield [name, f"{spectra.data[i].sum():.1f}", *net, *content]


if __name__ == "__main__":
    sys.exit(main())
