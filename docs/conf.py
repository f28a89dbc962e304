# SPDX-License-Identifier: GPL-3.0-or-later
"""How these pages are built: ``python -m sphinx -W docs docs/_build/html``, or ``bash .ci/docs``.

PSNMF_DOCS_NOTEBOOKS=off shows the notebooks without running them. Otherwise what they print is
cached in docs/_build, so that only notebooks that changed run again.
"""

import os
import shutil
from pathlib import Path

from hyperspy_psnmf import __version__

HERE = Path(__file__).parent

project = "hyperspy-psnmf"
author = copyright = "hyperspy-psnmf developers"
version = release = __version__

extensions = [
    "myst_nb",  # Markdown and notebooks
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.mermaid",
]
exclude_patterns = ["_build", "upcoming_changes"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3

nb_execution_mode = "off" if os.environ.get("PSNMF_DOCS_NOTEBOOKS") == "off" else "cache"
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
# HyperSpy warns of what eXSpy imports, and zarr of what RosettaSciIO does: of no use to readers.
os.environ.setdefault("PYTHONWARNINGS", "ignore:Importing,ignore::FutureWarning")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections have them, in words
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_sidebars = {"installation": [], "changes": []}
html_title = "hyperspy-psnmf"
html_theme_options = {
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright", "version"],
    "footer_end": ["sphinx-version"],
}


def copy_notebooks():
    """Copy the notebooks to the tutorials, as Sphinx reads nothing outside of its folder."""
    for path in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
        copy = HERE / "tutorials" / path.name
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            shutil.copyfile(path, copy)


copy_notebooks()
