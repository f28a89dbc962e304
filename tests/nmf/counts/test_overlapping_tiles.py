# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest

from hyperspy_psnmf.nmf.counts.overlapping_tiles import overlapping_tiles


@pytest.mark.parametrize(
    ("shape", "halo", "n_pixels"),
    [((3, 11, 25), (2, 1), 40), ((47,), (0, 3), 9), ((13, 5), (2, 2), 30), ((2, 3), (4, 4), 1)],
    ids=["series", "line", "narrow", "tiny"],
)
def test_overlapping_tiles__cover_a_map_once_and_reach_beyond(shape, halo, n_pixels):
    numbers = np.arange(np.prod(shape))
    found, reach = np.full(len(numbers), -1), np.zeros(len(numbers), int)
    sizes = []
    for tile in overlapping_tiles(shape, halo, n_pixels):
        own = tile.take(numbers)
        assert own.size == np.prod(tile.shape)
        assert len({int(number) // np.prod(shape[-2:]) for number in own}) == 1  # of one image
        before = found.copy()
        tile.put(own, found)
        sizes.append((before != found).sum())
        reach[own] += 1
    np.testing.assert_array_equal(found, numbers)
    assert sum(sizes) == len(numbers)
    least = min(shape[-1], 2 * halo[1]) * (min(shape[-2], 2 * halo[0]) if len(shape) > 1 else 1)
    assert max(sizes) <= 1.6 * max(n_pixels, least)
    assert len(sizes) == 1 or (reach > 1).any()


def test_overlapping_tiles__overlaps_on_each_side():
    tiles = list(overlapping_tiles((40, 60), (3, 2), 400))
    assert [(t.around, t.kept) for t in tiles[:2]] == [
        ((slice(0, 23), slice(0, 22)), (slice(0, 20), slice(0, 20))),
        ((slice(0, 23), slice(18, 42)), (slice(0, 20), slice(20, 40))),
    ]
