# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests share. Small maps: all dimensions different, 26 x 20 pixels (x, y), 310 channels."""

import matplotlib
import pytest
from hyperspy.signals import BaseSignal
from matplotlib import pyplot as plt

from hyperspy_psnmf import data
from hyperspy_psnmf._compat import saves_learning_results
from hyperspy_psnmf.kernels import csr, parallel
from tests.helpers.maps import FREE, SMALL, unmix_quietly
from tests.helpers.selection import pytest_collection_modifyitems  # noqa: F401, used by pytest

matplotlib.use("agg")


@pytest.fixture
def close_figures():
    """Close what a test leaves open."""
    yield
    plt.close("all")


@pytest.fixture
def no_rendering(monkeypatch):
    """Draw figures, but leave their files empty, where a test is about other things."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda self, path, **_: path.touch())


@pytest.fixture
def right_axis(monkeypatch):
    """Label lines at tabulated energies without the fit that finds an axis to be right."""
    monkeypatch.setattr("hyperspy_psnmf.plot.phases.lines_recorded_at", lambda spectra: None)


@pytest.fixture(scope="session")
def pristine_grains():
    """A TEM map of three phases; not to be changed."""
    return data.mineral_grains(**SMALL)


@pytest.fixture
def grains(pristine_grains):
    """A TEM map of three phases; a copy."""
    return pristine_grains.deepcopy()


@pytest.fixture(scope="session")
def unmixed(pristine_grains):
    """The TEM map, decomposed with defaults; not to be changed."""
    return unmix_quietly(pristine_grains.deepcopy())


@pytest.fixture(scope="session")
def unmixed_free(pristine_grains):
    """The TEM map, decomposed with free spectra; not to be changed."""
    return unmix_quietly(pristine_grains.deepcopy(), **FREE)


@pytest.fixture
def results_not_saved(monkeypatch):
    """Save and copy signals without their learning results, as HyperSpy is about to."""
    to_dictionary = BaseSignal._to_dictionary

    def without_results(signal, *args, **kwargs):
        dictionary = to_dictionary(signal, *args, **kwargs)
        # RosettaSciIO 0.15 does not write signals without this entry.
        return {**dictionary, "learning_results": {}}

    monkeypatch.setattr(BaseSignal, "_to_dictionary", without_results)
    saves_learning_results.cache_clear()
    yield
    saves_learning_results.cache_clear()


@pytest.fixture
def many_blocks(monkeypatch):
    """Cut small problems into many blocks, for four threads on any machine."""
    monkeypatch.setattr(parallel, "ENTRIES_PER_BLOCK", 23)
    monkeypatch.setattr(csr, "PIECE_BYTES", 50)
    monkeypatch.setattr(parallel, "count_cores", lambda: 4)
