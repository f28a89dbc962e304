# SPDX-License-Identifier: GPL-3.0-or-later
"""``max_memory`` in numbers and words."""

import dask.array as da
import pytest

from hyperspy_psnmf.eds.lazy.memory import MAX_BYTES, resolve_max_memory
from tests.helpers.lazy_maps import lazy


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ValueError),
        (-5, ValueError),
        ("much", ValueError),
        ("0 GB", ValueError),
        (True, TypeError),
        (1.5e9, TypeError),
        (None, TypeError),
    ],
)
def test_decomposition__bad_max_memory_is_refused_before_any_work(grains, unmix, value, error):
    s = lazy(grains, (7, 9, 310))
    s.data = da.map_blocks(lambda block: 1 / 0, s.data, dtype=s.data.dtype, meta=s.data._meta)
    with pytest.raises(error, match="max_memory"):
        unmix(s, max_memory=value)


def test_resolve_max_memory__max_memory_in_words():
    assert resolve_max_memory("2 GB") == resolve_max_memory(2_000_000_000) == 2_000_000_000
    assert resolve_max_memory("1 MiB") == 1 << 20
    assert 0 < resolve_max_memory("auto") <= MAX_BYTES
