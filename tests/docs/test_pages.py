# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation names what is public, its code parses, and its links lead somewhere.

`bash .ci/docs` builds the pages, runs the notebooks in them, and has warnings as errors.
"""

import ast
import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.accessor import PSNMFAccessor
from hyperspy_psnmf.accessor.old_names import OldNames
from hyperspy_psnmf.eds.decompose.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
if not DOCS.is_dir():
    pytest.skip("an installed package has no documentation", allow_module_level=True)

PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "generated"} & set(path.parts))
READ_ON_GITHUB = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
SIGNALS_AND_FIGURES = {"BaseSignal", "EDSSpectrum", "Figure", "Axes", "NDArray"}


def read(path):
    return path.read_text(encoding="utf-8")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def returned_classes():
    """Return the names of classes that methods of the accessor return, by their annotations."""
    members = [getattr(m, "fget", m) for _, m in inspect.getmembers(PSNMFAccessor)]
    returned = [m.__annotations__.get("return", "") for m in members if inspect.isfunction(m)]
    return set(re.findall(r"\b[A-Z]\w+", " ".join(returned))) - {"None"} - SIGNALS_AND_FIGURES


@pytest.mark.parametrize("path", [*PAGES, *READ_ON_GITHUB], ids=name_of)
def test_docs__python_code_parses(path):
    for code in re.findall(r"^```python\n(.*?)^```", read(path), re.M | re.S):
        ast.parse(code)


@pytest.mark.parametrize("path", [*PAGES, *READ_ON_GITHUB], ids=name_of)
def test_docs__relative_links_lead_to_files(path):
    text = re.sub(r"^ *```.*?^ *```", "", read(path), flags=re.M | re.S)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_docs__what_a_page_says_of_the_accessor_exists(path):
    named = set(re.findall(r"s\.psnmf\.(\w+)", read(path)))
    assert [name for name in named if not hasattr(PSNMFAccessor, name)] == []
    assert [name for name in named if hasattr(OldNames, name)] == []


def test_docs__every_page_is_in_a_table_of_contents():
    listed = set()
    for path in PAGES:
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", read(path), re.M | re.S):
            names = [line for line in block.split() if not line.startswith(":")]
            listed |= {(path.parent / f"{name}.md").resolve() for name in names}
    assert {p.resolve() for p in PAGES} - listed == {
        DOCS.resolve() / "index.md",
        DOCS.resolve() / "upcoming_changes" / "README.md",
    }


def test_docs__every_notebook_is_a_tutorial():
    index = read(DOCS / "tutorials" / "index.md")
    assert [p.stem for p in (ROOT / "notebooks").glob("*.ipynb") if p.stem not in index] == []


def test_api__every_class_that_the_accessor_returns_is_there():
    listed = re.findall(r"^ +~[\w.]+\.(\w+)$", read(DOCS / "api" / "results.md"), re.M)
    assert {"Quantification", "Ambiguity"} < returned_classes()
    assert returned_classes() - set(listed) == set()


def test_api__every_property_of_the_accessor_is_there():
    page = read(DOCS / "api" / "accessor.md").split()  # methods are listed when it is built
    names = [n for n, m in inspect.getmembers(PSNMFAccessor) if isinstance(m, property)]
    assert names
    assert [
        name
        for name in names
        if not hasattr(OldNames, name) and f"PSNMFAccessor.{name}" not in page
    ] == []


def test_api__every_phantom_is_there():
    page = read(DOCS / "api" / "data.md").split()
    assert [name for name in data.__all__ if name not in page] == []


def test_results__the_table_has_every_method_of_the_accessor():
    table = read(DOCS / "user_guide" / "results.md")
    members = [name for name, _ in inspect.getmembers(PSNMFAccessor) if not name.startswith("_")]
    methods = [name for name in members if not hasattr(OldNames, name)]
    assert [name for name in methods if not re.search(rf"\b{name}\b", table)] == []


def test_settings__the_table_has_every_keyword():
    rows = re.findall(r"^\| (`.*?) \|", read(DOCS / "user_guide" / "settings.md"), re.M)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named == {field.name for field in dataclasses.fields(Settings)} - {"algorithm"}


def test_changes__of_fragments_have_a_type_that_towncrier_knows():
    pyproject = read(ROOT / "pyproject.toml")
    types = re.findall(r"^\[tool\.towncrier\.fragment\.(\w+)\]", pyproject, re.M)
    fragments = [p for p in (DOCS / "upcoming_changes").iterdir() if p.name != "README.md"]
    assert types
    assert [p.name for p in fragments if p.name.split(".")[-2] not in types] == []
