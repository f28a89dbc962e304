# SPDX-License-Identifier: GPL-3.0-or-later
"""Hot voxels are named by pixel and energy when a map is decomposed: 26 x 20 pixels."""

import warnings

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.decompose.weaknesses import hot_voxels_of_map
from hyperspy_psnmf.eds.lazy.read import read_counts
from hyperspy_psnmf.eds.signals.map_input import MapInput
from tests.helpers.maps import CALL, FREE, unmix_quietly
from tests.helpers.real_maps import load, needs_maps

X, Y, CHANNEL = 17, 4, 220
OPTIONS = {**CALL, **FREE, "output_dimension": 2}


def heat(signal, counts=3000):
    signal.change_dtype("uint16")
    signal.data[Y, X, CHANNEL] = counts
    return signal


def named(signal, x=X, y=Y, counts=3000):
    energy = signal.axes_manager[-1].axis[CHANNEL]
    return rf"hot voxel: pixel \({x}, {y}\) has {counts} counts in the channel at {energy:.3f} keV"


@pytest.mark.parametrize("counts", [60, 3000, 65535])
def test_decomposition__names_a_hot_voxel_and_leaves_it(grains, counts):
    s = heat(grains, counts)
    before = s.data.copy()
    with pytest.warns(UserWarning, match=named(s, counts=counts)):
        s.decomposition(**OPTIONS)
    np.testing.assert_array_equal(s.data, before)
    assert "hot voxel: pixel (17, 4)" in s.psnmf.report()


def test_decomposition__lazy_and_on_disk_too(grains):
    s = heat(grains).as_lazy()
    for max_memory in ("auto", 100_000):
        with pytest.warns(UserWarning, match=named(s)):
            s.decomposition(**OPTIONS, max_memory=max_memory)


def test_decomposition__channels_are_those_of_the_map(grains):
    s = heat(grains)
    with pytest.warns(UserWarning, match=named(s)):
        s.decomposition(**OPTIONS, energy_range=(0.3, 2.9))


def test_decomposition__what_is_left_out_is_not_named(grains):
    s = heat(grains)
    mask = np.zeros((26, 20), bool)
    mask[X, Y] = True
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "hot voxel")
        unmix_quietly(s, 2, navigation_mask=mask, **FREE)


@pytest.mark.slow
def test_several__are_named_and_the_rest_counted(grains):
    s = heat(grains)
    for i in range(6):
        s.data[2 * i, 3, 40 * i + 5] = 900 + 10 * i
    found = hot_voxels_of_map(MapInput.of(s), read_counts(s))
    assert (found[0].pixel, found[0].counts, len(found)) == ((17, 4), 3000, 7)
    with pytest.warns(UserWarning, match="hot voxels") as caught:
        s.decomposition(algorithm="PSNMF", output_dimension=2, print_info=False)
    (sentence,) = (str(w.message) for w in caught if "hot voxels" in str(w.message))
    assert sentence.startswith("hot voxels: pixel (17, 4)")
    assert sentence.count("pixel (") == 4
    assert "; 3 more. " in sentence


@pytest.mark.parametrize("units", ["eV", "none"])
def test_units__of_the_energy_axis(grains, units):
    s, axis = heat(grains), grains.axes_manager[-1]
    if units == "eV":
        axis.scale, axis.offset = 1000 * axis.scale, 1000 * axis.offset
    axis.units = units
    assert len(hot_voxels_of_map(MapInput.of(s), read_counts(s))) == (units == "eV")


@pytest.mark.crossed("name", "counts")
@pytest.mark.parametrize("counts", [15, 250])
@pytest.mark.parametrize("name", [n for n in data.__all__ if callable(getattr(data, n))])
def test_phantoms__have_none(name, counts):
    s = getattr(data, name)(shape=(28, 34), counts=counts, seed=7)
    assert hot_voxels_of_map(MapInput.of(s), read_counts(s)) == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=needs_maps(name))
        for name in (
            "core_shell.hspy", "mineral_lamella_88.hspy", "silica_spheres.hspy", "test_TEM.bcf",
            "bcf_v2_50x50px.bcf", "Hitachi_TM3030Plus.bcf", "ree_phosphate_30x30.bcf",
        )
    ],
)  # fmt: skip
def test_real_maps__have_none(name):
    s = load(name)
    assert hot_voxels_of_map(MapInput.of(s), read_counts(s)) == []
