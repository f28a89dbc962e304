# SPDX-License-Identifier: GPL-3.0-or-later
"""Files beside the package that others read: workflows, archives, packagers and HyperSpy."""

import json
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import hyperspy_psnmf

ROOT = Path(__file__).parents[2]
PACKAGE = Path(hyperspy_psnmf.__file__).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
if not WORKFLOWS:
    pytest.skip("an installed package has no workflows", allow_module_level=True)
# Packages that conda-forge has under another name, or in parts.
CONDA_NAMES = {"hyperspy": "hyperspy-base", "matplotlib": "matplotlib-base",
               "rosettasciio": "rosettasciio-base"}  # fmt: skip


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def test_extension__the_file_at_the_top_is_that_of_the_package():
    # No symbolic link: Git writes its target as text where Windows has none.
    top = ROOT / "hyperspy_extension.yaml"
    assert not top.is_symlink()
    assert top.read_text("utf-8") == (PACKAGE / "hyperspy_extension.yaml").read_text("utf-8")


def test_archive__has_the_metadata_of_the_citation():
    archive, citation = json.loads(read(".zenodo.json")), yaml.safe_load(read("CITATION.cff"))
    assert archive["title"] == citation["title"]
    assert archive["license"] == citation["license"]
    assert archive["keywords"] == ["EDS", "HyperSpy", "NMF", "pan-sharpening",
                                   "electron microscopy", "unmixing"]  # fmt: skip
    assert [c["name"] for c in archive["creators"]] == [a["name"] for a in citation["authors"]]
    (article,) = archive["related_identifiers"]
    assert article["identifier"] == citation["references"][0]["doi"]


def test_workflows__test_every_python_of_the_classifiers():
    tested = yaml.safe_load(read(".github/workflows/tests.yml"))["jobs"]["tests"]
    pyproject = read("pyproject.toml")
    classified = re.findall(r"Programming Language :: Python :: (3\.\d+)", pyproject)
    assert set(classified) <= set(tested["strategy"]["matrix"]["python"])
    (oldest,) = re.findall(r'requires-python = ">=(.*)"', pyproject)
    assert tested["strategy"]["matrix"]["python"][0] == oldest


def test_workflows__parts_of_the_nightly_are_those_of_its_script():
    job = yaml.safe_load(read(".github/workflows/nightly.yml"))["jobs"]["slow"]
    (parts,) = re.findall(r"parts=\((\w.*)\)", read(".ci/nightly"))
    assert job["strategy"]["matrix"]["part"] == parts.split()


def test_workflows__scripts_that_they_run_exist():
    run = {name for path in WORKFLOWS for name in re.findall(r"bash (\.ci/\w+)", read(path))}
    assert run == {".ci/docs", ".ci/nightly"}
    assert [name for name in run if not (ROOT / name).is_file()] == []


def test_recipe__has_the_requirements_of_the_package():
    recipe = yaml.safe_load(read(".github/conda-forge/recipe.yaml"))
    run = dict(line.split(" ", 1) for line in recipe["requirements"]["run"])
    # The file, as what is installed in editable mode may have older metadata.
    (block,) = re.findall(r"^dependencies = \[\n(.*?)^\]", read("pyproject.toml"), re.M | re.S)
    needed = map(Requirement, re.findall(r'^ *"(.+?)"', block, re.M))
    needed = {r.name: str(r.specifier) for r in needed}
    assert needed
    assert {CONDA_NAMES.get(name, name): bound for name, bound in needed.items()} == {
        name: bound for name, bound in run.items() if name != "python"
    }
