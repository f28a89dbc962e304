# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF is there whatever is imported first, and leaves everything else as it was.

What depends on the order of imports runs in a fresh interpreter, as nothing can
be un-imported.
"""

import inspect
import subprocess
import sys
import textwrap

import dask.array as da
import exspy.signals
import hyperspy.api as hs
import numpy as np
import pytest
from sklearn.decomposition import NMF

import hyperspy_psnmf
from tests.helpers.sessions import COUNTS, OPTIONS, run
from tests.helpers.versions import BEFORE_2_5

CLASSES = [
    exspy.signals.EDSSpectrum,
    exspy.signals.LazyEDSSpectrum,
    exspy.signals.EDSTEMSpectrum,
    exspy.signals.LazyEDSTEMSpectrum,
    exspy.signals.EDSSEMSpectrum,
    exspy.signals.LazyEDSSEMSpectrum,
]


@pytest.fixture
def reactivated():
    """Leave PSNMF active whatever a test does."""
    yield
    hyperspy_psnmf.activate()


@pytest.fixture(scope="module")
def saved_map(tmp_path_factory):
    path = tmp_path_factory.mktemp("activation") / "map.hspy"
    exspy.signals.EDSSEMSpectrum(COUNTS).save(path)
    return str(path)


# --- whatever is imported first


# Each session takes seconds to import HyperSpy; `test_activation_layouts.py` uses a stand-in.
@pytest.mark.thorough
@pytest.mark.parametrize(
    "imports",
    [
        'import hyperspy.api as hs; s = hs.signals.Signal1D(counts); s.set_signal_type("EDS_TEM")',
        "import exspy.signals.eds_tem as m; s = m.EDSTEMSpectrum(counts)",
        "import exspy.signals.eds as m; s = m.EDSSpectrum(counts)",
        "import hyperspy_psnmf; from exspy.signals import EDSTEMSpectrum as E; s = E(counts)",
    ],
    ids=["hyperspy", "tem", "eds", "hyperspy_psnmf"],
)
def test_activation__psnmf_is_there_whatever_is_imported_first(imports):
    run(f"{imports}\nassert_active(s)")


@pytest.mark.slow
def test_activation__psnmf_is_there_on_a_loaded_file(saved_map):
    run(
        f"""
        import hyperspy.api as hs
        s = hs.load({saved_map!r})
        decompose(s)
        decompose(hs.load({saved_map!r}, lazy=True))
        assert type(s).__name__ == "EDSSEMSpectrum"
        """
    )


@pytest.mark.thorough
def test_activation__psnmf_is_there_in_dask_workers_that_are_spawned_processes(tmp_path, saved_map):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, sys

            def decompose(path):
                import hyperspy.api as hs
                s = hs.load(path)
                s.decomposition(**{OPTIONS})
                return s.learning_results.loadings, os.getpid()

            if __name__ == "__main__":
                import dask
                task = dask.delayed(decompose)({saved_map!r})
                ((loadings, pid),) = dask.compute(task, scheduler="processes", num_workers=1)
                assert loadings.shape == (30, 2)
                assert pid != os.getpid()
                assert "hyperspy" not in sys.modules
            """
        )
    )
    result = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_decomposition__every_eds_class_has_it(cls):
    s = cls(da.from_array(COUNTS) if cls.__name__.startswith("Lazy") else COUNTS.copy())
    s.decomposition(**OPTIONS)
    assert s.learning_results.decomposition_algorithm == "PSNMF"
    assert s.psnmf.phase_names == ["Phase 0", "Phase 1"]


@pytest.mark.parametrize("cls", [exspy.signals.EELSSpectrum, hs.signals.Signal1D])
def test_decomposition__other_signals_do_not_have_it(cls):
    assert not hasattr(cls, "psnmf")
    with pytest.raises(ValueError, match="not recogni"):
        cls(COUNTS.astype(float)).decomposition(**OPTIONS)


# --- nothing else changes


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_decomposition__signature_and_docstring_are_unchanged(cls, reactivated):
    def describe():
        method = cls.decomposition
        return inspect.signature(method), method.__doc__, method.__qualname__

    patched = describe()
    hyperspy_psnmf.deactivate()
    assert patched == describe()


def test_decomposition__deactivate_restores_the_classes_and_both_are_idempotent(reactivated):
    def has_own():
        return {cls.__name__ for cls in CLASSES if "decomposition" in cls.__dict__}

    hyperspy_psnmf.deactivate()
    stock, n_finders = [cls.decomposition for cls in CLASSES], len(sys.meta_path)
    assert has_own() == {"EDSTEMSpectrum"}
    assert not any(hasattr(method, "_is_psnmf") for method in stock)
    for _ in range(3):
        hyperspy_psnmf.activate()
        assert len(sys.meta_path) == n_finders + 1
        assert all(hasattr(cls, "psnmf") for cls in CLASSES)
    for _ in range(3):
        hyperspy_psnmf.deactivate()
        assert [cls.decomposition for cls in CLASSES] == stock
        assert has_own() == {"EDSTEMSpectrum"}
        assert not any(hasattr(cls, "psnmf") for cls in CLASSES)
        assert len(sys.meta_path) == n_finders


def sem(data=None):
    return exspy.signals.EDSSEMSpectrum(COUNTS.astype(float) if data is None else data)


def tem():
    return exspy.signals.EDSTEMSpectrum(COUNTS.astype(float))


# Each returns what a stock decomposition returns.
STOCK_CALLS = {
    "sem default": lambda: (sem(), (), {}),
    "tem default": lambda: (tem(), (), {}),
    "tem SVD, positions": lambda: (tem(), (True, None), {"algorithm": "SVD"}),
    "sem NMF by position": lambda: (sem(), (True, "NMF", 3), {"random_state": 0}),
    "tem NMF": lambda: (
        tem(),
        (),
        {"algorithm": "NMF", "output_dimension": 3, "random_state": 0},
    ),
    "sem estimator": lambda: (
        sem(),
        (),
        {"algorithm": NMF(3, random_state=0), "return_info": True},
    ),
    "lazy sem PCA by position": lambda: (sem().as_lazy(), (False, "PCA", 3), {}),
    "lazy sem NMF by position": lambda: (sem().as_lazy(), (False, "NMF", 3), {"random_state": 0}),
    "lazy sem masks by position": lambda: (
        sem().as_lazy(),
        (False, "SVD", 3, None, True, np.arange(30) < 4),
        {"svd_solver": "incremental"},
    ),
    "lazy tem PCA": lambda: (tem().as_lazy(), (), {"algorithm": "PCA", "output_dimension": 3}),
    "sem unknown by position": lambda: (sem(), (False, "nope"), {}),
    "tem unknown": lambda: (tem(), (), {"algorithm": "nope"}),
    "lazy unknown": lambda: (sem().as_lazy(), (), {"algorithm": "nope", "output_dimension": 2}),
    "lower case": lambda: (sem(), (), {"algorithm": "nmf"}),
    "class": lambda: (sem(), (), {"algorithm": NMF}),
    "None": lambda: (sem(), (), {"algorithm": None}),
    "number": lambda: (sem(), (), {"algorithm": 3}),
    "unknown keyword": lambda: (sem(), (), {"algorithm": "NMF", "nonsense": 3}),
    "tem by position": lambda: (tem(), (True, None, True, "NMF"), {}),
    "too many": lambda: (sem(), tuple(range(30)), {}),
    "twice": lambda: (sem(), (False, "SVD"), {"algorithm": "SVD"}),
    "integers": lambda: (sem(COUNTS.copy()), (), {"algorithm": "SVD"}),
}


def outcome(call):
    signal, args, kwargs = call()
    np.random.seed(0)  # noqa: NPY002 - HyperSpy's randomized SVD uses the global state
    try:
        info = signal.decomposition(*args, print_info=False, **kwargs)
    except Exception as error:
        return [type(error), str(error)]
    lr = signal.learning_results
    assert not hasattr(lr, "psnmf")
    return [
        type(info),
        str(lr.decomposition_algorithm),
        np.array(lr.factors),
        np.array(lr.loadings),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("call", STOCK_CALLS.values(), ids=STOCK_CALLS)
def test_activation__other_algorithms_and_errors_are_those_of_hyperspy(call, reactivated):
    patched = outcome(call)
    hyperspy_psnmf.deactivate()
    stock = outcome(call)
    assert patched[:2] == stock[:2]
    for a, b in zip(patched[2:], stock[2:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_decomposition__positions_are_bound_against_the_signature_the_user_sees():
    signal_mask, navigation_mask = np.arange(30) < 4, np.arange(30).reshape(6, 5) < 3
    s, lazy = sem(), sem().as_lazy()
    options = {name: OPTIONS[name] for name in ("energy_binning", "binning", "print_info")}
    s.decomposition(False, "PSNMF", 2, navigation_mask=navigation_mask, signal_mask=signal_mask)
    expected = s.learning_results.loadings
    s.decomposition(False, "PSNMF", 2, None, True, navigation_mask, signal_mask, **options)
    # HyperSpy's lazy signals take the two masks the other way round.
    between = () if BEFORE_2_5 else (None, True)
    lazy.decomposition(False, "PSNMF", 2, *between, signal_mask, navigation_mask, **options)
    np.testing.assert_array_equal(s.learning_results.loadings, expected)
    np.testing.assert_array_equal(lazy.learning_results.loadings, expected)
