# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses with arrays are compared by identity: that of arrays is no yes or no.

With the comparison that dataclasses have by default, ``a == b``, ``a in [b]`` and ``hash(a)``
raise as soon as a field is an array or a signal.
"""

import copy
import dataclasses
import importlib
import inspect
import pkgutil
import typing
from types import UnionType

import numpy as np
import pytest

import hyperspy_psnmf
from hyperspy_psnmf.eds.quantify.result import Percent
from hyperspy_psnmf.nmf.binning.bins import PixelBins

PLAIN = (str, int, float, bool, type(None), slice)


def find_dataclasses():
    found = {}
    for module in pkgutil.walk_packages(hyperspy_psnmf.__path__, "hyperspy_psnmf."):
        # The widget's parts hold traits, and need a toolkit.
        if module.name.split(".")[1] in ("gui", "__main__"):
            continue
        for cls in vars(importlib.import_module(module.name)).values():
            ours = inspect.isclass(cls) and cls.__module__ == module.name
            if ours and dataclasses.is_dataclass(cls):
                found[cls.__qualname__] = cls
    return found


FOUND = find_dataclasses()


def is_plain(hint):
    """Tell whether values of a type have a comparison that is True or False."""
    if dataclasses.is_dataclass(hint):
        return hint.__eq__ is object.__eq__ or holds_plain_values(hint)
    if typing.get_origin(hint) is typing.Literal or hint is Ellipsis:
        return True
    if typing.get_origin(hint) in (typing.Union, UnionType) or typing.get_args(hint):
        return all(map(is_plain, typing.get_args(hint)))
    return hint in PLAIN


def holds_plain_values(cls):
    hints = typing.get_type_hints(cls)
    return all(is_plain(hints[field.name]) for field in dataclasses.fields(cls))


@pytest.mark.parametrize("name", sorted(FOUND))
def test_dataclass_with_arrays__compared_by_identity(name):
    cls = FOUND[name]
    if holds_plain_values(cls):
        return
    assert cls.__eq__ is object.__eq__, f"{cls.__module__}.{name} needs eq=False"
    assert cls.__hash__ is object.__hash__


def test_walk__finds_dataclasses_of_every_layer():
    assert len(FOUND) > 40
    layers = {cls.__module__.split(".")[1] for cls in FOUND.values()}
    assert layers >= {"nmf", "eds"}


@pytest.mark.parametrize(
    "one",
    [
        Percent(np.ones((3, 2)), np.ones((3, 2)), np.ones((3, 2)), {"counting": np.ones((3, 2))}),
        PixelBins((5, 7), (2, 3)),
        hyperspy_psnmf.eds.quantify.result.Percent(
            *[np.zeros((2, 4))] * 3, {}, np.zeros((2, 4, 2))
        ),
    ],
    ids=["Percent", "PixelBins", "Percent with a band"],
)
def test_equality_membership_and_hash__work(one):
    other = copy.deepcopy(one)
    assert one == one
    assert isinstance(one == other, bool)
    assert one in [other, one]
    assert {one: 1}[one] == 1
