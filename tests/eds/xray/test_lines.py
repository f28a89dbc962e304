# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of X-ray lines."""

import pytest

from hyperspy_psnmf.eds.xray.lines import element_of, split_line


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("Fe_Ka", ("Fe", "Ka")),
        ("C_Ka", ("C", "Ka")),
        ("U_M2N4", ("U", "M2N4")),
        ("1.740 keV", ("1.740 keV", "")),
    ],
)
def test_split_line__element_and_the_rest(line, parts):
    assert split_line(line) == parts
    assert element_of(line) == parts[0]
