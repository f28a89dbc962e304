# SPDX-License-Identifier: GPL-3.0-or-later
"""Docstrings of what is public: complete by numpydoc, and their examples hold."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
from numpydoc.validate import validate

import hyperspy_psnmf
from hyperspy_psnmf import PSNMF, PoissonNMF, data, results
from hyperspy_psnmf.accessor import PSNMFAccessor

# What numpydoc asks for and is not wanted here.
WAIVED = {
    "ES01": "a summary of one line says all where there is no more to say",
    "EX01": "the README and the notebooks hold the examples of what needs a map",
    "PR04": "parameters documented elsewhere are listed together, with a reference",
    "PR07": "`y : ignored`, as scikit-learn writes it",
    "RT03": "the type of a figure says what it is",
    "SA01": "not everything has relatives",
    "SA03": "descriptions of references are no sentences",
}
# Results are made by the package, so that their fields are attributes.
OF_RESULTS = WAIVED | {"PR01": "fields are documented as attributes"}
RESULTS = [
    *(f"results.{name}" for name in results.__all__),
]


def own_members(path, cls):
    """Return the names of public methods and properties that this package defines."""
    for name, member in inspect.getmembers(cls):
        function = getattr(member, "fget", member)
        ours = str(getattr(function, "__module__", "")).startswith("hyperspy_psnmf")
        if not name.startswith("_") and ours and callable(function):
            yield f"{path}.{name}"


PUBLIC = [
    "PSNMF",
    "PoissonNMF",
    "activate",
    "deactivate",
    "accessor.PSNMFAccessor",
    "eds.decompose.decompose.decompose",
    "eds.decompose.settings.Settings",
    *(f"data.{name}" for name in data.__all__),
    *own_members("accessor.PSNMFAccessor", PSNMFAccessor),
    *own_members("PSNMF", PSNMF),
    *own_members("PoissonNMF", PoissonNMF),
]


def missing(name, waived):
    found = validate(f"hyperspy_psnmf.{name}")["errors"]
    return [f"{code}: {message}" for code, message in found if code not in waived]


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings__a_public_docstring_is_complete(name):
    assert missing(name, WAIVED) == []


@pytest.mark.parametrize("name", RESULTS)
def test_docstrings__the_docstring_of_a_result_is_complete(name):
    assert missing(name, OF_RESULTS) == []


def names_of_modules():
    for module in pkgutil.walk_packages(hyperspy_psnmf.__path__, "hyperspy_psnmf."):
        # A toolkit need not be installed, and __main__ would run.
        if not module.name.startswith("hyperspy_psnmf.gui.") and "__main__" not in module.name:
            yield module.name


@pytest.mark.slow
def test_docstrings__the_examples_in_the_docstrings_have():
    results = [doctest.testmod(importlib.import_module(name)) for name in names_of_modules()]
    assert sum(result.attempted for result in results) >= 10
    assert not any(result.failed for result in results)
