# SPDX-License-Identifier: GPL-3.0-or-later
"""What HyperSpy is about to change: names of learning results, what of them is saved with a signal,
and decomposition in hyperspy-ml.
"""

import warnings

import hyperspy.api as hs
import numpy as np
import pytest
from hyperspy.exceptions import VisibleDeprecationWarning
from hyperspy.learn.mva import LearningResults

from hyperspy_psnmf import PSNMF, PoissonNMF
from hyperspy_psnmf._compat import saves_learning_results
from tests.helpers.maps import FREE, assert_same_results, stock
from tests.helpers.versions import ZSPY

NAMES = ["Fe₃O₄ / Schale", "β", "rest"]


class Renamed(LearningResults):
    """Learning results as HyperSpy is about to name them, with the old names as properties."""

    components = scores = bss_components = bss_scores = None

    @property
    def factors(self):
        warnings.warn("use components", VisibleDeprecationWarning, stacklevel=2)
        return self.components

    @property
    def loadings(self):
        warnings.warn("use scores", VisibleDeprecationWarning, stacklevel=2)
        return self.scores


@pytest.mark.filterwarnings("error::hyperspy.exceptions.VisibleDeprecationWarning")
def test_learning_results__by_the_new_names_where_hyperspy_has_them(grains, unmix, unmixed):
    grains.learning_results = Renamed()
    grains.learning_results.bss_components = np.ones((310, 3))
    assert "no decomposition yet" in repr(grains.psnmf)
    found = unmix(grains)
    np.testing.assert_array_equal(
        found.learning_results.components, unmixed.learning_results.factors
    )
    np.testing.assert_array_equal(found.learning_results.scores, unmixed.learning_results.loadings)
    assert found.learning_results.bss_components is None
    assert "PSNMF" in repr(found.psnmf)
    for ours, expected in zip(
        (found.psnmf.phase_maps(), found.psnmf.phase_spectra()),
        (unmixed.psnmf.phase_maps(), unmixed.psnmf.phase_spectra()),
        strict=True,
    ):
        np.testing.assert_array_equal(ours.data, expected.data)


@pytest.fixture
def kept(results_not_saved, grains, unmix, navigation_mask, signal_mask):
    """A map decomposed where its learning results are not saved."""
    unmix(grains, navigation_mask=navigation_mask, signal_mask=signal_mask, **FREE)
    grains.psnmf.phase_names = NAMES
    return grains


def saved(signal, path, **kwargs):
    signal.save(path, overwrite=True)
    return hs.load(path, **kwargs)


def assert_same_answers(a, b):
    assert a.psnmf.phase_names == b.psnmf.phase_names
    assert a.psnmf.report() == b.psnmf.report()
    for get in ("phase_maps", "phase_spectra"):
        x, y = getattr(a.psnmf, get)(), getattr(b.psnmf, get)()
        np.testing.assert_allclose(x.data, y.data, rtol=1e-12)  # arrays are laid out differently
        assert x.metadata.Phases.names == y.metadata.Phases.names
    assert_same_results(a, b)


def test_saving__as_long_as_learning_results_are_saved_metadata_have_none(unmixed_copy):
    unmixed_copy.psnmf.phase_names = NAMES
    assert "PSNMF" not in unmixed_copy.metadata
    assert unmixed_copy.deepcopy().psnmf.phase_names == NAMES


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["hspy", ZSPY])
def test_saving__results_survive_without_learning_results(kept, tmp_path, extension):
    again = saved(kept, tmp_path / f"a.{extension}")
    assert again.learning_results.factors is None
    assert "PSNMF" in repr(again.psnmf)
    assert_same_answers(again, kept)
    a, b = again.psnmf.element_maps(), kept.psnmf.element_maps()
    assert [one.metadata.General.title for one in a] == [one.metadata.General.title for one in b]
    np.testing.assert_allclose([one.data for one in a], [one.data for one in b], atol=1e-6)
    ours, theirs = again.learning_results, kept.learning_results
    for name in ("navigation_mask", "signal_mask"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.decomposition_algorithm == "PSNMF"
    assert ours.output_dimension == ours.number_significant_components == 3
    assert "PSNMF" not in again.psnmf.phase_spectra().metadata


@pytest.mark.slow
def test_saving__spectra_of_lines_are_quantified_as_before(
    results_not_saved, grains, unmix, tmp_path
):
    again = saved(unmix(grains), tmp_path / "a.hspy")
    assert str(again.psnmf.energy_calibration()) == str(grains.psnmf.energy_calibration())
    options = {"errors": "counting", "show_progressbar": False}
    a, b = (one.psnmf.quantify(**options).table() for one in (again, grains))
    assert str(a) == str(b)


@pytest.mark.slow
def test_saving__twice_lazily_renamed_and_never_read_between(kept, tmp_path):
    lazy = saved(kept, tmp_path / "a.hspy", lazy=True)
    unread = saved(lazy, tmp_path / "b.hspy", lazy=True)
    assert_same_answers(unread, kept)
    assert isinstance(unread.learning_results.loadings, np.ndarray)
    unread.psnmf.phase_names = ["a", "b", "c"]
    read = saved(unread, tmp_path / "c.hspy")
    assert read.psnmf.phase_names == ["a", "b", "c"]
    read.psnmf.phase_names = NAMES
    assert_same_answers(read, kept)


@pytest.mark.slow
def test_saving__of_a_lazy_map(results_not_saved, grains, unmix, tmp_path):
    lazy = unmix(grains.as_lazy(), **FREE)
    lazy.psnmf.phase_names = NAMES
    assert_same_answers(saved(lazy, tmp_path / "a.hspy", lazy=True), lazy)
    lazy.compute(show_progressbar=False)
    assert lazy.psnmf.phase_names == NAMES


def test_deepcopy__has_the_results_and_names_of_its_own(kept):
    other = kept.deepcopy()
    assert_same_answers(other, kept)
    other.psnmf.phase_names = ["a", "b", "c"]
    other.learning_results.loadings[:] = 0
    assert kept.psnmf.phase_names == NAMES
    assert np.nansum(kept.metadata.PSNMF.loadings) > 0


@pytest.mark.slow
def test_saving__results_of_a_file_by_this_hyperspy(unmixed_copy, results_not_saved, tmp_path):
    assert_same_answers(unmixed_copy, unmixed_copy)  # reading is enough
    assert_same_answers(saved(unmixed_copy, tmp_path / "a.hspy"), unmixed_copy)


def test_saving__by_this_hyperspy_of_a_file_by_the_next(kept, monkeypatch, tmp_path):
    kept.save(tmp_path / "a.hspy")
    monkeypatch.undo()
    saves_learning_results.cache_clear()
    again = hs.load(tmp_path / "a.hspy")
    assert_same_answers(again, kept)
    again.psnmf.phase_names = ["a", "b", "c"]
    assert saved(again, tmp_path / "b.hspy").psnmf.phase_names == ["a", "b", "c"]
    # The next HyperSpy finds the new names, too.
    assert again.metadata.PSNMF.record.phase_names == ["a", "b", "c"]


@pytest.mark.filterwarnings("error::hyperspy.exceptions.VisibleDeprecationWarning")
def test_kept_results__are_put_back_by_the_new_names(kept):
    loadings, kept.learning_results = kept.learning_results.loadings, Renamed()
    assert kept.psnmf.phase_names == NAMES
    np.testing.assert_array_equal(kept.learning_results.scores, loadings)
    assert kept.learning_results.components.shape == (310, 3)


@pytest.mark.parametrize("read", [False, True])
def test_another_algorithm__replaces_what_is_kept(kept, tmp_path, read):
    again = saved(kept, tmp_path / "a.hspy")
    again.change_dtype(float)
    if read:
        again.psnmf.report()
    again.decomposition(
        algorithm="NMF", output_dimension=2, random_state=0, print_info=False,
        normalize_poissonian_noise=False,
    )  # fmt: skip
    assert "PSNMF" not in again.metadata
    assert again.psnmf.phase_names == ["Phase 0", "Phase 1"]
    with pytest.raises(RuntimeError, match="those of NMF; this call needs"):
        again.psnmf.report()
    with pytest.raises(RuntimeError, match="no factors and loadings yet"):
        saved(again, tmp_path / "b.hspy").psnmf.report()


def test_learning_results_loaded__replace_what_is_kept(kept, grains, tmp_path):
    nmf = stock(kept)
    nmf.learning_results.save(tmp_path / "nmf.npz")
    kept.learning_results.save(tmp_path / "psnmf.npz")
    kept.learning_results.load(tmp_path / "nmf.npz")
    assert kept.psnmf.phase_names == ["Phase 0", "Phase 1", "Phase 2"]
    assert "PSNMF" not in kept.metadata
    nmf.learning_results.load(tmp_path / "psnmf.npz")
    assert nmf.psnmf.phase_names == NAMES
    assert_same_answers(saved(nmf, tmp_path / "a.hspy"), nmf)


def test_decomposed_again__the_later_results_are_kept(kept, unmix, tmp_path):
    unmix(kept, 2, **FREE)
    assert_same_answers(saved(kept, tmp_path / "a.hspy"), kept)
    assert kept.psnmf.phase_names == ["Phase 0", "Phase 1"]


def test_part_of_a_map__has_no_results(kept, tmp_path):
    for part in (kept.inav[:7], kept.isig[:100], kept.rebin(scale=(2, 2, 1))):
        for one in (part, saved(part, tmp_path / "part.hspy")):
            assert "no decomposition yet" in repr(one.psnmf)
            with pytest.raises(RuntimeError, match="no factors and loadings yet"):
                one.psnmf.phase_maps()


def test_changed_map__refused(kept, tmp_path):
    kept.crop("x", 3, None)
    with pytest.raises(RuntimeError, match="cropped, rebinned or extended"):
        kept.psnmf.report()
    with pytest.raises(RuntimeError, match="no factors and loadings yet"):
        saved(kept, tmp_path / "a.hspy").psnmf.report()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.transpose(navigation_axes=[1, 0]), "transposed"),
        (lambda s: s.inav[::-1], "flipped along x"),
        (lambda s: s * 2, "multiplied by 2"),
    ],
)
def test_map_made_of_another__refused(kept, tmp_path, change, message):
    with pytest.raises(RuntimeError, match=message):
        saved(change(kept), tmp_path / "a.hspy").psnmf.report()


@pytest.mark.parametrize("estimator", [PSNMF(3, navigation_shape=(20, 26)), PoissonNMF(3)])
def test_hyperspy_ml__takes_the_estimators(grains, estimator):
    hyperspy_ml = pytest.importorskip("hyperspy_ml", reason="not on PyPI: see .ci/environments")
    grains.change_dtype("float64")
    found = hyperspy_ml.decompose(grains, algorithm=estimator, output_dimension=3)
    assert found.components.shape == (310, 3)
    assert found.scores.shape == (520, 3)
    # Loadings in counts, as ever.
    np.testing.assert_allclose(found.components.sum(axis=0), 1.0)
    assert found.scores.sum() == pytest.approx(grains.data.sum(), rel=1e-6)
    truth = grains.metadata.Truth.factors
    cosines = (truth / np.linalg.norm(truth, axis=0)).T @ found.components
    cosines = cosines / np.linalg.norm(found.components, axis=0)
    assert cosines.max(axis=1).min() > 0.8
