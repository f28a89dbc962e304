# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps larger than `max_memory`: the same answer from temporary files, which never stay."""

import errno
import os
import warnings

import dask
import hyperspy.api as hs
import numpy as np
import pytest
import rsciio.bruker._api as reader

from hyperspy_psnmf import PoissonNMF
from hyperspy_psnmf.eds.lazy import open_counts as module
from hyperspy_psnmf.nmf.counts.on_disk import StoredBlocks
from tests.eds.lazy.full_disk import DiskOf
from tests.helpers.lazy_maps import lazy, same
from tests.helpers.real_maps import FOLDER, needs_maps

TINY = "10 kB"
CHUNKS = {
    "one": (20, 26, 310),
    "ragged": ((3, 9, 8), (1, 20, 5), 310),
    "energy, ragged": ((11, 9), (7, 7, 7, 5), (300, 10)),
}


@pytest.fixture(autouse=True)
def spill(tmp_path, monkeypatch):
    """Watch the folder of temporary files, and what was read into it."""
    seen = []

    def read(*args, **kwargs):
        found = original(*args, **kwargs)
        (folder,) = os.listdir(tmp_path)
        seen.append((type(found), len(os.listdir(tmp_path / folder))))
        return found

    original = module._read
    monkeypatch.setattr(module, "_read", read)
    with dask.config.set({"temporary-directory": str(tmp_path)}):
        yield seen
    assert os.listdir(tmp_path) == []


def was_spilled(seen):
    return bool(seen) and all(kind is StoredBlocks and n_files for kind, n_files in seen)


@pytest.mark.slow
@pytest.mark.crossed("masked", "chunks")
@pytest.mark.parametrize("masked", [True, False], ids=["masked", "all"])
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_decomposition__result_is_that_of_eager_signals(
    pristine_grains, unmix, navigation_mask, signal_mask, chunks, masked, spill
):
    masks = {"navigation_mask": navigation_mask, "signal_mask": signal_mask} if masked else {}
    eager = unmix(pristine_grains.deepcopy(), **masks)
    s = lazy(pristine_grains, chunks)
    before = s.data
    unmix(s, max_memory=TINY, **masks)
    same(s, eager)
    assert was_spilled(spill)
    assert s.data is before


@pytest.mark.slow
@pytest.mark.thorough_cases("number of phases", "energy_range")
@pytest.mark.parametrize(
    "options",
    [
        {"spectra": "lines", "binning": 4},
        {"refinement": "joint", "binning": 4},
        {"output_dimension": "auto"},
        {"smoothing": 0, "volume": 0.2, "binning": 4},
        {"algorithm": PoissonNMF(3)},
        {"energy_range": (0.5, 9.0)},
    ],
    ids=["lines", "joint", "number of phases", "no prior", "PoissonNMF", "energy_range"],
)
def test_decomposition__whatever_is_asked_for(grains, unmix, options, spill):
    eager = unmix(grains.deepcopy(), **options)
    s = unmix(lazy(grains, CHUNKS["ragged"]), max_memory=TINY, **options)
    same(s, eager)
    assert was_spilled(spill)


@pytest.mark.slow
def test_phase_spectra__fixed_spectra_and_absent_elements(grains, unmixed, unmix, spill):
    fixed = unmixed.psnmf.phase_spectra().inav[:1]
    options = {"fixed_spectra": fixed, "binning": 4, "absent": {2: ["Fe"]}}
    eager = unmix(grains.deepcopy(), **options)
    same(unmix(lazy(grains, (7, 9, 100)), max_memory=TINY, **options), eager)
    assert was_spilled(spill)


@pytest.mark.slow
def test_decomposition__series_and_line_scans(grains, unmix, spill):
    series = hs.stack([grains.inav[:14, :10]] * 3)
    for s, chunks in ((series, (2, 3, 5, 310)), (grains.inav[:, 3], (7, 310))):
        eager = unmix(s.deepcopy(), 2)
        same(unmix(lazy(s, chunks), 2, max_memory=TINY), eager)
    assert was_spilled(spill)


@pytest.mark.slow
def test_decomposition__processes_write_and_read_as_well(grains, unmixed, unmix, spill):
    s = lazy(grains, (7, 9, 100))
    with dask.config.set(scheduler="processes", num_workers=2):
        unmix(s, max_memory=TINY)
    same(s, unmixed)
    assert was_spilled(spill)


@pytest.mark.slow
def test_standard_errors__results_are_used_as_ever(grains, unmixed, unmix):
    s = unmix(lazy(grains, (7, 9, 100)), max_memory=TINY)
    for get in (
        lambda s: s.psnmf.standard_errors().data,
        lambda s: s.psnmf.residuals().map.data,
        lambda s: s.psnmf.element_maps()[0].data,
    ):
        np.testing.assert_allclose(get(s), get(unmixed), rtol=1e-6)
    model = s.get_decomposition_model()
    assert model._lazy
    expected = s.learning_results.loadings @ s.learning_results.factors.T
    np.testing.assert_allclose(model.data.compute().reshape(520, 310), expected)


@pytest.mark.slow
@pytest.mark.thorough_cases("binned", "jackknife", "ambiguity")
@pytest.mark.parametrize(
    "get",
    [
        lambda s: s.psnmf.residuals().map.data,
        lambda s: s.psnmf.residuals().spectrum.data,
        lambda s: s.psnmf.residuals().binned.data,
        lambda s: s.psnmf.upper_limits().data,
        lambda s: s.psnmf.standard_errors(of="spectra").data,
        lambda s: s.psnmf.standard_errors(given_spectra=False).data,
        lambda s: s.psnmf.ambiguity().counts_band,
    ],
    ids=["map", "spectrum", "binned", "upper limits", "spectra", "jackknife", "ambiguity"],
)
def test_open_counts__what_needs_counts_again_does_not_have_them_all(
    unmixed, grains, spill, monkeypatch, get
):
    """The same numbers, whether the counts fit into memory or are put into files once more."""
    s = lazy(grains, (7, 9, 100))
    s.learning_results = unmixed.learning_results
    expected = get(unmixed)
    monkeypatch.setattr("hyperspy_psnmf.eds.lazy.memory.MAX_BYTES", 10_000)
    np.testing.assert_allclose(get(s), expected, rtol=1e-4, atol=1e-3)
    assert was_spilled(spill)


def test_StoredBlocks__everything_stays_in_memory_while_it_fits(grains, unmix, spill):
    unmix(lazy(grains, (7, 9, 100)))
    ((kind, _),) = spill
    assert kind is not StoredBlocks


def test_decomposition__each_chunk_is_computed_once(grains, unmix, spill):
    read = []

    def load(block, block_info=None):
        if block_info:
            read.append(block_info[0]["chunk-location"])
        return block

    s = lazy(grains, (7, 9, 100))
    s.data = s.data.map_blocks(load, dtype=s.data.dtype, meta=np.empty((0, 0, 0), "u1"))
    unmix(s, max_memory=TINY)
    assert len(read) == len(set(read)) == 36
    assert was_spilled(spill)


def test_decomposition__chunks_that_are_masked_are_not_computed(grains, unmix, navigation_mask):
    cube = grains.data.astype(float)
    s = lazy(grains, (20, 4, 310))
    navigation_mask[4:] = False

    def load(block, block_info=None):
        if block_info and block_info[0]["chunk-location"][1] == 0:
            raise RuntimeError("this was to be left out")
        return block

    s.data = s.data.map_blocks(load, dtype=s.data.dtype, meta=np.empty((0, 0, 0), "u1"))
    unmix(s, max_memory=TINY, navigation_mask=navigation_mask)
    assert s.learning_results.loadings.shape == (cube[..., 0].size, 3)


def test_decomposition__a_corrupt_chunk_raises_its_own_error(unmixed_copy, unmix, state):
    def load(block, block_info=None):
        if block_info and block_info[0]["chunk-location"] == (1, 1, 0):
            raise OSError("checksum of chunk 1.1.0 is wrong")
        return block

    s = lazy(unmixed_copy, (7, 9, 310))
    good, kept = s.data, state(s)
    s.data = good.map_blocks(load, dtype=good.dtype, meta=np.empty((0, 0, 0), "u1"))
    with pytest.raises(OSError, match="checksum of chunk"):
        unmix(s, max_memory=TINY)
    s.data = good
    assert state(s) == kept


@pytest.mark.crossed("scheduler", "refinement")
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("refinement", ["fixed", "joint"])
def test_decomposition__full_disk_leaves_nothing_behind(
    unmixed_copy, unmix, state, monkeypatch, scheduler, refinement
):
    """The disk fills up in the first pass, or when channels are written in the second."""
    full = DiskOf(100_000 if refinement == "fixed" else 300_000)
    monkeypatch.setattr("hyperspy_psnmf.nmf.counts.csr_part.open", full.open, raising=False)
    s = lazy(unmixed_copy, (7, 9, 310))
    before = state(s)
    with dask.config.set(scheduler=scheduler), pytest.raises(OSError, match="no space") as raised:
        unmix(s, max_memory=TINY, refinement=refinement)
    assert raised.value.errno == errno.ENOSPC
    assert "temporary-directory" in str(raised.value)
    assert full.written > 50_000
    assert state(s) == before


@pytest.mark.slow
def test_estimate_number_of_components__number_of_phases_is_estimated_lazily(grains, monkeypatch):
    monkeypatch.setattr("hyperspy_psnmf.eds.lazy.memory.MAX_BYTES", 10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = lazy(grains, (7, 9, 100)).psnmf.estimate_number_of_components()
        expected = grains.psnmf.estimate_number_of_components()
    np.testing.assert_array_equal(found.deviances, expected.deviances)


@needs_maps("bcf_v2_50x50px.bcf", "test_TEM.bcf")
@pytest.mark.thorough_cases("test_TEM")
@pytest.mark.parametrize("name", ["bcf_v2_50x50px.bcf", "test_TEM.bcf"])
def test_decomposition__bruker_files_are_parsed_once(unmix, spill, monkeypatch, name):
    """The reader makes one task of the whole file, whatever the chunks are made of it."""
    parsed = []

    def parse(*args, **kwargs):
        parsed.append(name)
        return original(*args, **kwargs)

    of = reader.unbcf_fast if reader.fast_unbcf else reader
    function = "parse_to_numpy" if reader.fast_unbcf else "py_parse_hypermap"
    original = getattr(of, function)
    monkeypatch.setattr(of, function, parse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        eager = hs.load(FOLDER / name)[-1]
        s = hs.load(FOLDER / name, lazy=True)[-1]
        s.data = s.data.rechunk((9, 20, 700))
        options = {"binning": 4, "energy_range": (0.12, 10)}
        unmix(eager, 2, **options)
        parsed.clear()
        unmix(s, 2, max_memory=TINY, **options)
    same(s, eager)
    assert was_spilled(spill)
    assert len(parsed) == 1


def test_decomposition__sparse_chunks_are_made_dense(grains, unmixed, unmix):
    """As the reader of Velox's event streams may make them."""

    class Sparse(np.lib.mixins.NDArrayOperatorsMixin):
        def __init__(self, dense):
            self.dense, self.shape, self.dtype, self.ndim = dense, dense.shape, dense.dtype, 3

        def __array__(self, *args, **kwargs):
            raise RuntimeError("sparse arrays refuse to be made dense unasked")

        def todense(self):
            return self.dense

    s = lazy(grains, (7, 9, 310))
    s.data = s.data.map_blocks(Sparse, dtype=s.data.dtype, meta=np.empty((0, 0, 0), "u1"))
    same(unmix(s, max_memory=TINY), unmixed)


def test_decomposition__the_progress_bar_shows_both_passes(grains, unmix, capsys):
    """Chunks that were read, then blocks."""
    unmix(lazy(grains, (7, 9, 310)), max_memory=TINY, show_progressbar=True)
    shown = "".join(capsys.readouterr())
    assert all(text in shown for text in ("Reading counts", "9/9", "block"))
