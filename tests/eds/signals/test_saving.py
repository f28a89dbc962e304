# SPDX-License-Identifier: GPL-3.0-or-later
"""Results are saved with the signal, and all that is made of them works after loading."""

import hyperspy.api as hs
import numpy as np
import pytest

from tests.helpers.maps import FREE, plain, stock
from tests.helpers.versions import NEEDS_ZARR_2, ZSPY

pytestmark = pytest.mark.usefixtures("close_figures")


FILES = [
    ("hspy", {}),
    pytest.param("zspy", FREE, marks=NEEDS_ZARR_2),
    ("hspy", {"output_dimension": 1, **FREE}),
    pytest.param(
        *("zspy", {"binning": 1, "random_state": np.random.default_rng(2)}),
        marks=[pytest.mark.thorough, NEEDS_ZARR_2],
    ),
    ("hspy", {"energy_range": (0.5, 2.0), "refinement": "joint", **FREE}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("extension", "options"), FILES, ids=plain)
def test_report__everything_survives_saving(
    grains, unmix, tmp_path, navigation_mask, extension, options
):
    s = unmix(grains, navigation_mask=navigation_mask, **options)
    k = s.learning_results.output_dimension
    s.psnmf.phase_names = ["Fe₃O₄ / Schale", "β", "x" * 300][:k]
    path = tmp_path / f"result.{extension}"
    s.save(path)
    again = hs.load(path)
    ours, theirs = s.learning_results, again.learning_results
    assert again.psnmf.phase_names == s.psnmf.phase_names
    assert again.psnmf.report() == s.psnmf.report()
    assert type(theirs.decomposition_algorithm) is str
    assert theirs.decomposition_algorithm == "PSNMF"
    assert theirs.output_dimension == k
    assert set(theirs.psnmf) == set(ours.psnmf)
    for name in ("factors", "loadings", "navigation_mask"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))
    for name in ("binned_loadings", "phase_counts", "binning"):
        np.testing.assert_array_equal(theirs.psnmf[name], ours.psnmf[name])
    assert theirs.psnmf["weaknesses"] == ours.psnmf["weaknesses"]
    for name in ("converged", "binning_chosen"):
        assert bool(theirs.psnmf[name]) is ours.psnmf[name]
    assert_same_maps(again, s)
    again.psnmf.plot()
    again.plot_decomposition_results()


def assert_same_maps(a, b):
    for get in ("phase_maps", "phase_spectra"):
        x, y = getattr(a.psnmf, get)(), getattr(b.psnmf, get)()
        np.testing.assert_allclose(x.data, y.data, rtol=1e-12)
        assert x.metadata.Phases.names == y.metadata.Phases.names


@NEEDS_ZARR_2
def test_names__a_saved_result_can_be_saved_again_and_renamed(unmixed_copy, tmp_path):
    for i, extension in enumerate(["hspy", "zspy", "hspy"]):
        unmixed_copy.save(tmp_path / f"{i}.{extension}")
        unmixed_copy = hs.load(tmp_path / f"{i}.{extension}")
        unmixed_copy.psnmf.phase_names = [f"{i}a", f"{i}b", f"{i}c"]
    assert unmixed_copy.psnmf.phase_names == ["2a", "2b", "2c"]


def through_npz(source, target, path):
    """Save learning results on their own and load them into another signal."""
    source.learning_results.save(path, overwrite=True)
    target.learning_results.load(path)
    return target


def opened_again(signal, path):
    signal.save(path, overwrite=True)
    return hs.load(path)


WAYS = {
    "npz": lambda s, grains, folder: through_npz(s, grains, folder / "a.npz"),
    "npz twice": lambda s, grains, folder: through_npz(
        through_npz(s, s.deepcopy(), folder / "a.npz"), grains, folder / "b.npz"
    ),
    "hspy, npz": lambda s, grains, folder: through_npz(
        opened_again(s, folder / "a.hspy"), grains, folder / "a.npz"
    ),
    "npz, zspy": lambda s, grains, folder: opened_again(
        through_npz(s, grains, folder / "a.npz"), folder / "a.zspy"
    ),
    "over other results": lambda s, grains, folder: through_npz(
        s, stock(grains, output_dimension=2), folder / "a.npz"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=NEEDS_ZARR_2 if "zspy" in way else ()) for way in WAYS]
)
def test_learning_results_saved_on_their_own__record_and_names_survive(
    unmixed_free, grains, tmp_path, monkeypatch, way
):
    s = unmixed_free.deepcopy()
    monkeypatch.setattr("hyperspy_psnmf.eds.uncertainty.jackknife.N_SPLITS", 1)
    s.psnmf.phase_names = ["Fe₃O₄", "β", "rest"]
    other = WAYS[way](s, grains, tmp_path)
    assert_same_maps(other, s)
    assert other.psnmf.phase_names == ["Fe₃O₄", "β", "rest"]
    assert other.psnmf.report() == s.psnmf.report()
    # Iterations amplify what another order of the same numbers rounds differently.
    for given_spectra, rtol in ((True, 1e-9), (False, 1e-6)):
        a, b = (one.psnmf.standard_errors(given_spectra=given_spectra) for one in (other, s))
        np.testing.assert_allclose(a.data, b.data, rtol=rtol)
    other.psnmf.phase_names = ["a", "b", "c"]
    assert through_npz(other, other, tmp_path / "c.npz").psnmf.phase_names == ["a", "b", "c"]


def test_learning_results_for_another_map__refused(unmixed_copy, grains, tmp_path):
    grains.data = grains.data[::-1].copy()
    with pytest.raises(RuntimeError, match="flipped along y"):
        through_npz(unmixed_copy, grains, tmp_path / "a.npz").psnmf.report()


@pytest.mark.parametrize("way", ["npz", "changed", "dropped"])
def test_results_without_a_record__message_says_so(unmixed_copy, tmp_path, way):
    results = unmixed_copy.learning_results
    if way == "changed":  # what was loaded as text is of the factors as they were
        through_npz(unmixed_copy, unmixed_copy, tmp_path / "a.npz")
        results.factors[:, [0, 1]] = results.factors[:, [1, 0]]
    else:  # as an earlier version wrote them
        earlier_layout(results)
        results.psnmf = None if way == "npz" else {}
    assert unmixed_copy.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]
    unmixed_copy.psnmf.phase_maps()
    with pytest.raises(RuntimeError, match=r"those of PSNMF, but the record.*decompose the map"):
        unmixed_copy.psnmf.report()


def earlier_layout(results):
    """Leave what version 0.1.0 wrote: one dict without a fingerprint of the data."""
    for name in [n for n in vars(results) if n.startswith("psnmf_")]:
        del results.__dict__[name]
    results.psnmf = {k: v for k, v in results.psnmf.items() if not k.startswith("data_")}


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_files_of_earlier_versions__open(unmixed_copy, tmp_path, extension):
    expected = unmixed_copy.psnmf.report()
    earlier_layout(unmixed_copy.learning_results)
    again = opened_again(unmixed_copy, tmp_path / f"a.{extension}")
    assert again.psnmf.report() == expected
    again.psnmf.phase_names = ["a", "b", "c"]
    assert opened_again(again, tmp_path / f"b.{extension}").psnmf.phase_names == ["a", "b", "c"]


def test_results_of_another_algorithm_loaded_over_psnmf__without_its_record(unmixed_copy, tmp_path):
    nmf = stock(unmixed_copy)
    unmixed_copy.psnmf.phase_names = ["a", "b", "c"]
    # .npz files hold nothing where NMF has nothing, so the dict of PSNMF stays behind.
    through_npz(nmf, unmixed_copy, tmp_path / "nmf.npz")
    assert unmixed_copy.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]
    with pytest.raises(RuntimeError, match="those of NMF; this call needs"):
        unmixed_copy.psnmf.report()


def test_names__given_to_another_algorithm_are_saved(grains, tmp_path):
    s = stock(grains)
    s.psnmf.phase_names = ["a", "b", "c"]
    s.save(tmp_path / "nmf.hspy")
    assert hs.load(tmp_path / "nmf.hspy").psnmf.phase_names == ["a", "b", "c"]
