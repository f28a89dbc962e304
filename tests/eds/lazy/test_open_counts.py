# SPDX-License-Identifier: GPL-3.0-or-later
"""Lazy signals give what eager ones give, whatever their chunks, and stay lazy."""

import dask
import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest

from tests.helpers.lazy_maps import lazy
from tests.helpers.versions import ZSPY

CHUNKS = {
    "one": (20, 26, 310),
    "single pixels": (1, 1, 310),
    "ragged": ((3, 9, 8), (1, 20, 5), 310),
    "energy": (20, 26, 7),
    "all, ragged": ((11, 9), (7, 7, 7, 5), (300, 10)),
}


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_decomposition__chunks_do_not_matter(
    pristine_grains, unmix, navigation_mask, signal_mask, chunks, masked
):
    options = {"binning": (3, 4)}
    if masked:
        options |= {"navigation_mask": navigation_mask, "signal_mask": signal_mask}
    eager = unmix(pristine_grains.deepcopy(), **options).learning_results
    s = lazy(pristine_grains, chunks)
    before = s.data
    unmix(s, **options)
    np.testing.assert_array_equal(s.learning_results.loadings, eager.loadings)
    np.testing.assert_array_equal(s.learning_results.factors, eager.factors)
    assert s._lazy
    assert s.data is before


@pytest.mark.slow
def test_decomposition__chunks_of_series_and_line_scans_do_not_matter(grains, unmix):
    series = hs.stack([grains.inav[:14, :10]] * 3)
    for s, chunks in ((series, (2, 3, 5, 310)), (grains.inav[:, 3], (7, 310))):
        expected = unmix(s.deepcopy(), 2).learning_results.loadings
        found = unmix(lazy(s, chunks), 2).learning_results.loadings
        np.testing.assert_array_equal(found, expected)


def test_phase_maps__what_comes_out_is_computed_and_eager(grains, unmix):
    s = unmix(lazy(grains, (7, 9, 100)))
    assert isinstance(s.learning_results.loadings, np.ndarray)
    assert type(s.psnmf.phase_spectra()).__name__ == "EDSTEMSpectrum"
    assert not s.psnmf.phase_maps()._lazy


def test_phase_spectra__lazy_sem_signals(sem, unmix):
    expected = unmix(sem.deepcopy(), 2).learning_results.loadings
    s = unmix(lazy(sem, (7, 9, 310)), 2)
    np.testing.assert_array_equal(s.learning_results.loadings, expected)
    assert type(s.psnmf.phase_spectra()).__name__ == "EDSSEMSpectrum"


def test_decomposition__results_of_lazy_signals_are_used_by_hyperspy(grains, unmix):
    s = unmix(lazy(grains, (7, 9, 100)))
    model = s.get_decomposition_model()
    assert model._lazy
    expected = s.learning_results.loadings @ s.learning_results.factors.T
    np.testing.assert_allclose(np.asarray(model.data).reshape(520, 310), expected)
    assert s.get_decomposition_loadings().axes_manager.shape == (3, 26, 20)


def test_decomposition__a_pipeline_of_lazy_operations(grains, unmix):
    s = grains.as_lazy().inav[2:, :15].isig[10:]
    expected = unmix(grains.inav[2:, :15].isig[10:], 2).learning_results.loadings
    np.testing.assert_array_equal(unmix(s, 2).learning_results.loadings, expected)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_decomposition__the_scheduler_does_not_matter(grains, unmixed, unmix, scheduler):
    with dask.config.set(scheduler=scheduler):
        s = unmix(lazy(grains, (7, 9, 100)))
    np.testing.assert_array_equal(s.learning_results.loadings, unmixed.learning_results.loadings)


def test_decomposition__each_chunk_is_computed_once(grains, unmix):
    read = []

    def load(block, block_info=None):
        if block_info:
            read.append(block_info[0]["chunk-location"])
        return block

    s = lazy(grains, (7, 9, 310))
    s.data = s.data.map_blocks(load, dtype=s.data.dtype, meta=np.empty((0, 0, 0), "u1"))
    unmix(s)
    assert len(read) == len(set(read)) == 9


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [(-1, ValueError, "not negative"), (np.nan, ValueError, "finite"), (1j, TypeError, "complex")],
)
def test_decomposition__bad_values_in_one_chunk_are_found(
    unmixed_copy, unmix, state, value, error, message
):
    s = lazy(unmixed_copy, (7, 9, 310))
    cube = unmixed_copy.data.astype(type(value) if value != -1 else int)
    cube[18, 3, 5] = value
    s.data = da.from_array(cube, chunks=(7, 9, 310))
    before = state(s)
    with pytest.raises(error, match=message):
        unmix(s, 2)
    assert state(s) == before


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_report__lazily_loaded_map_is_unmixed_saved_and_loaded_lazily(
    grains, unmixed, unmix, tmp_path, extension
):
    grains.save(tmp_path / f"map.{extension}")
    s = unmix(hs.load(tmp_path / f"map.{extension}", lazy=True))
    s.psnmf.phase_names = ["a", "b", "c"]
    s.save(tmp_path / f"result.{extension}")
    again = hs.load(tmp_path / f"result.{extension}", lazy=True)
    assert again.psnmf.phase_names == ["a", "b", "c"]
    for get in ("phase_maps", "phase_spectra"):
        expected = getattr(unmixed.psnmf, get)().data
        np.testing.assert_allclose(getattr(again.psnmf, get)().data, expected, rtol=1e-12)
    assert again.psnmf.report() == s.psnmf.report()
    fig, _ = again.psnmf.plot()
    assert fig is not None
    if extension == "hspy":
        s.close_file()
        again.close_file()
