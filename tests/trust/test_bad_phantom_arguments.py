# SPDX-License-Identifier: GPL-3.0-or-later
"""Phantoms asked for what there is not; the common cases are in tests/data/test_phantoms.py."""

import numpy as np
import pytest

from hyperspy_psnmf import data

CASES = [
    ("mineral_grains", "shape", None, ValueError),
    ("mineral_grains", "shape", "ab", TypeError),
    ("mineral_grains", "shape", (np.nan, 3), TypeError),
    ("mineral_grains", "shape", ("3", "4"), TypeError),
    ("mineral_grains", "shape", ((3,), 4), TypeError),
    ("mineral_grains", "counts", None, TypeError),
    ("mineral_grains", "counts", [3], TypeError),
    ("mineral_grains", "counts", 1j, TypeError),
    ("mineral_grains", "counts", 1e30, ValueError),
    ("mineral_grains", "seed", "x", TypeError),
    ("mineral_grains", "seed", [1], TypeError),
    ("mineral_grains", "n_channels", None, TypeError),
    ("mineral_grains", "n_channels", True, TypeError),
    ("mineral_grains", "n_channels", -1, ValueError),
    ("mineral_grains", "nonsense", 1, TypeError),
    ("isolated_particles", "diameter", -3, ValueError),
    ("isolated_particles", "diameter", np.inf, ValueError),
    ("isolated_particles", "diameter", None, TypeError),
    ("isolated_particles", "diameter", [3], TypeError),
    ("sharp_interface", "edge_width", np.inf, ValueError),
    ("sharp_interface", "edge_width", None, TypeError),
    ("sharp_interface", "edge_width", True, TypeError),
    ("mineral_grains", "edge_width", 3, TypeError),
]


ALL = [
    (phantom, *case)
    for phantom in data.__all__
    for case in [
        ("shape", (0, 6), ValueError),
        ("shape", (5,), ValueError),
        ("counts", -1, ValueError),
        ("counts", float("nan"), ValueError),
        ("n_channels", 2.5, TypeError),
        ("seed", -1, ValueError),
    ]
]


@pytest.mark.spot_checks("name")
@pytest.mark.parametrize(("phantom", "name", "value", "error"), CASES + ALL)
def test_bad_phantom_arguments__a_bad_argument_is_named(phantom, name, value, error):
    with pytest.raises(error, match=name):
        getattr(data, phantom)(**{"shape": (5, 6), "n_channels": 200, name: value})


@pytest.mark.parametrize(
    ("phantom", "settings"),
    [
        ("mineral_grains", {"counts": 1e-300}),
        ("mineral_grains", {"counts": 1e12}),
        ("mineral_grains", {"seed": 2**200}),
        ("mineral_grains", {"shape": np.array([5, 6])}),
        ("isolated_particles", {"diameter": 1e9}),
        ("isolated_particles", {"diameter": 1e-9}),
        ("sharp_interface", {"edge_width": 1e-12}),
    ],
    ids=str,
)
def test_bad_phantom_arguments__extreme_settings_give_counts_still(phantom, settings):
    s = getattr(data, phantom)(**{"shape": (5, 6), "n_channels": 200, **settings})
    assert s.data.shape == (5, 6, 200)
    assert s.data.dtype.kind == "u"
    expected = s.metadata.Truth.loadings.sum()
    assert abs(s.data.sum(dtype=float) - expected) <= 6 * np.sqrt(expected) + 1e-9 * expected
