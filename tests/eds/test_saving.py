# SPDX-License-Identifier: GPL-3.0-or-later
"""Results are saved with the signal, and all that is made of them works after loading."""

import hyperspy.api as hs
import numpy as np
import pytest
from maps import plain, stock

pytestmark = pytest.mark.usefixtures("close_figures")


FILES = [
    ("hspy", {}),
    ("zspy", {}),
    ("hspy", {"output_dimension": 1}),
    ("zspy", {"binning": 1, "random_state": np.random.default_rng(2)}),
    ("hspy", {"energy_range": (0.5, 2.0), "refinement": "joint"}),
]


@pytest.mark.parametrize(("extension", "options"), FILES, ids=plain)
def test_everything_survives_saving(grains, unmix, tmp_path, navigation_mask, extension, options):
    s = unmix(grains, navigation_mask=navigation_mask, **options)
    k = s.learning_results.output_dimension
    s.psnmf.names = ["Fe₃O₄ / Schale", "β", "x" * 300][:k]
    path = tmp_path / f"result.{extension}"
    s.save(path)
    again = hs.load(path)
    ours, theirs = s.learning_results, again.learning_results
    assert again.psnmf.names == s.psnmf.names
    assert again.psnmf.report() == s.psnmf.report()
    assert type(theirs.decomposition_algorithm) is str
    assert theirs.decomposition_algorithm == "PSNMF"
    assert theirs.output_dimension == k
    assert set(theirs.psnmf) == set(ours.psnmf)
    for name in ("factors", "loadings", "navigation_mask"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))
    for name in ("binned_loadings", "phase_counts", "binning", "weaknesses"):
        np.testing.assert_array_equal(theirs.psnmf[name], ours.psnmf[name])
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


def test_a_saved_result_can_be_saved_again_and_renamed(unmixed_copy, tmp_path):
    for i, extension in enumerate(["hspy", "zspy", "hspy"]):
        unmixed_copy.save(tmp_path / f"{i}.{extension}")
        unmixed_copy = hs.load(tmp_path / f"{i}.{extension}")
        unmixed_copy.psnmf.names = [f"{i}a", f"{i}b", f"{i}c"]
    assert unmixed_copy.psnmf.names == ["2a", "2b", "2c"]


def test_learning_results_saved_on_their_own_give_maps_but_no_report(unmixed_copy, tmp_path):
    path = tmp_path / "results.npz"
    unmixed_copy.learning_results.save(path)
    other = unmixed_copy.deepcopy()
    other.learning_results.load(path)  # HyperSpy drops every dict from .npz
    assert_same_maps(other, unmixed_copy)
    assert other.psnmf.names == ["Phase 0", "Phase 1", "Phase 2"]
    with pytest.raises(RuntimeError):
        other.psnmf.report()


def test_names_given_to_another_algorithm_are_saved(grains, tmp_path):
    s = stock(grains)
    s.psnmf.names = ["a", "b", "c"]
    s.save(tmp_path / "nmf.hspy")
    assert hs.load(tmp_path / "nmf.hspy").psnmf.names == ["a", "b", "c"]
