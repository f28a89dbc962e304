# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the README: ``python notebooks/make_figures.py [FOLDER]``.

One for each thing the package does, of phantoms with fixed seeds. FOLDER is ``images``
beside this file by default. The comparison with other methods is the figure of notebook 06.
"""

import base64
import io
import sys
import warnings
from pathlib import Path

import hyperspy.api as hs
import matplotlib
import nbclient
import nbformat
from PIL import Image

from hyperspy_psnmf import data

HERE = Path(__file__).resolve().parent
COMPARISON = HERE / "06_psnmf_against_others.ipynb"
N_COLORS = 128
WIDTH = 1000  # pixels at most


def grains():
    """Unmix the phantom of the command line, as it does."""
    s = data.mineral_grains()
    s.decomposition(algorithm="PSNMF", output_dimension=3, print_info=False)
    return s


def particles():
    """Core-shell particles, unmixed and named."""
    s = data.core_shell_particles(shape=(96, 96), counts=600, n_channels=1250)
    s.decomposition(algorithm="PSNMF", output_dimension=3, print_info=False)
    lines = s.psnmf.phase_spectra().get_lines_intensity([f"{element}_Ka" for element in ("C", "O")])
    carbon, oxygen = (line.data.ravel() / s.psnmf.phase_maps().data.sum((1, 2)) for line in lines)
    names = ["Core"] * 3
    names[oxygen.argmax()], names[carbon.argmax()] = "Shell", "Support"
    s.psnmf.phase_names = names
    return s


def figures():
    """Yield the name of each picture and its figure."""
    s = grains()
    yield "phantom", s.psnmf.plot()[0]
    yield "label_map", s.psnmf.plot_label_map()[0]
    yield "number_of_phases", s.psnmf.estimate_number_of_components().plot()[0]
    s = particles()
    k = s.metadata.Truth.k_factors.as_dictionary()
    factors = {line: (k[line], 0.03 * k[line]) for line in ("Pt_La", "Fe_Ka", "O_Ka")}
    with_band = s.psnmf.ambiguity(factors={line: k[line] for line in factors})
    yield "ambiguity", with_band.plot()[0]
    composition = s.psnmf.quantify(factors=factors, exclude=("C", "Cu"), ambiguity=True)
    yield "composition", composition.plot()[0]
    yield "line_fit", composition.plot_line_fit()[0]
    yield "element_maps", s.psnmf.plot_element_maps(["Fe_Ka", "O_Ka", "Pt_La"])[0]


def comparison():
    """Run notebook 06; return the figure of its cell with the tag "readme"."""
    notebook = nbformat.read(COMPARISON, as_version=4)
    resources = {"metadata": {"path": str(HERE)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
    (cell,) = (cell for cell in notebook.cells if "readme" in cell.metadata.get("tags", ()))
    (image,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
    return io.BytesIO(base64.b64decode(image))


def store(picture, path):
    """Write a picture no wider than needed and with few colours, a fraction of the size."""
    image = Image.open(picture).convert("RGB")
    image.thumbnail((WIDTH, WIDTH))
    # The default leaves colours that few pixels have to others: a colour bar half wrong.
    few = image.quantize(N_COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main(folder=HERE / "images"):
    """Make all pictures."""
    matplotlib.use("agg")
    warnings.simplefilter("ignore")
    hs.preferences.General.show_progressbar = False
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures():
        picture = io.BytesIO()
        figure.savefig(picture, dpi=100, format="png")
        store(picture, folder / f"{name}.png")
    store(comparison(), folder / "comparison.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
