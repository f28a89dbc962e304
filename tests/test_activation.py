# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF is there whatever is imported first, and leaves everything else as it was.

What depends on the order of imports runs in a fresh interpreter, as nothing can
be un-imported.
"""

import copy
import inspect
import os
import subprocess
import sys
import textwrap

import dask.array as da
import exspy.signals
import hyperspy.api as hs
import numpy as np
import pytest
from exspy.signals.eds import EDSSpectrum, LazyEDSSpectrum
from sklearn.decomposition import NMF

import hyperspy_psnmf

OPTIONS = {
    "algorithm": "PSNMF",
    "output_dimension": 2,
    "binning": 1,
    "energy_binning": 1,
    "print_info": False,
    "show_progressbar": False,
}
COUNTS = np.random.default_rng(1).poisson(40, (5, 6, 30)).astype("uint16")
CLASSES = [
    EDSSpectrum,
    LazyEDSSpectrum,
    exspy.signals.EDSTEMSpectrum,
    exspy.signals.LazyEDSTEMSpectrum,
    exspy.signals.EDSSEMSpectrum,
    exspy.signals.LazyEDSSEMSpectrum,
]
PREAMBLE = f"""
import importlib, sys
import numpy as np
counts = np.random.default_rng(1).poisson(40, (5, 6, 30)).astype("uint16")

def assert_active(s):
    assert s.psnmf.__class__.__name__ == "PSNMFAccessor"
    assert hasattr(type(s).decomposition, "_is_psnmf")

def decompose(s):
    s.decomposition(**{OPTIONS})
    assert s.learning_results.decomposition_algorithm == "PSNMF"
"""


def run(code, *, preamble=PREAMBLE, **environment):
    """Run code in a fresh interpreter and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", preamble + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "HYPERSPY_PSNMF_DISABLE": "", **environment},
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


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


@pytest.mark.parametrize(
    "imports",
    [
        'import hyperspy.api as hs; s = hs.signals.Signal1D(counts); s.set_signal_type("EDS_TEM")',
        "import exspy.signals.eds_tem as m; s = m.EDSTEMSpectrum(counts)",
        "import exspy.signals.eds as m; s = m.EDSSpectrum(counts)",
        "import hyperspy_psnmf; from exspy.signals import EDSTEMSpectrum as E; s = E(counts)",
    ],
    ids=["hyperspy", "eds_tem", "eds", "hyperspy_psnmf"],
)
def test_psnmf_is_there_whatever_is_imported_first(imports):
    run(f"{imports}\nassert_active(s)")


def test_psnmf_is_there_on_a_loaded_file(saved_map):
    run(
        f"""
        import hyperspy.api as hs
        s = hs.load({saved_map!r})
        decompose(s)
        decompose(hs.load({saved_map!r}, lazy=True))
        assert type(s).__name__ == "EDSSEMSpectrum"
        """
    )


def test_psnmf_is_there_in_dask_workers_that_are_spawned_processes(tmp_path, saved_map):
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


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_eds_class_has_it(cls):
    s = cls(da.from_array(COUNTS) if cls.__name__.startswith("Lazy") else COUNTS.copy())
    s.decomposition(**OPTIONS)
    assert s.learning_results.decomposition_algorithm == "PSNMF"
    assert s.psnmf.names == ["Phase 0", "Phase 1"]


@pytest.mark.parametrize("cls", [exspy.signals.EELSSpectrum, hs.signals.Signal1D])
def test_other_signals_do_not_have_it(cls):
    assert not hasattr(cls, "psnmf")
    with pytest.raises(ValueError, match="not recogni"):
        cls(COUNTS.astype(float)).decomposition(**OPTIONS)


# --- nothing else changes


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_signature_and_docstring_are_unchanged(cls, reactivated):
    def describe():
        method = cls.decomposition
        return inspect.signature(method), method.__doc__, method.__qualname__

    patched = describe()
    hyperspy_psnmf.deactivate()
    assert patched == describe()


def test_deactivate_restores_the_classes_and_both_are_idempotent(reactivated):
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
    "lower case": lambda: (sem(), (), {"algorithm": "psnmf"}),
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


@pytest.mark.parametrize("call", STOCK_CALLS.values(), ids=STOCK_CALLS)
def test_other_algorithms_and_errors_are_those_of_hyperspy(call, reactivated):
    patched = outcome(call)
    hyperspy_psnmf.deactivate()
    stock = outcome(call)
    assert patched[:2] == stock[:2]
    for a, b in zip(patched[2:], stock[2:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_positions_are_bound_against_the_signature_the_user_sees():
    signal_mask, navigation_mask = np.arange(30) < 4, np.arange(30).reshape(6, 5) < 3
    s, lazy = sem(), sem().as_lazy()
    options = {name: OPTIONS[name] for name in ("energy_binning", "binning", "print_info")}
    s.decomposition(False, "PSNMF", 2, navigation_mask=navigation_mask, signal_mask=signal_mask)
    expected = s.learning_results.loadings
    s.decomposition(False, "PSNMF", 2, None, True, navigation_mask, signal_mask, **options)
    # HyperSpy's lazy signals take the two masks the other way round.
    lazy.decomposition(False, "PSNMF", 2, None, True, signal_mask, navigation_mask, **options)
    np.testing.assert_array_equal(s.learning_results.loadings, expected)
    np.testing.assert_array_equal(lazy.learning_results.loadings, expected)


# --- reloads, other finders, errors


def test_reloading_modules_keeps_one_working_patch():
    run(
        """
        import exspy.signals.eds_tem as eds_tem, hyperspy_psnmf
        import hyperspy_psnmf._activation as activation
        n_finders = len(sys.meta_path)
        for module in (hyperspy_psnmf, activation, hyperspy_psnmf, eds_tem, eds_tem):
            importlib.reload(module)
            assert_active(eds_tem.EDSTEMSpectrum(counts))
            hyperspy_psnmf.activate()
            assert len(sys.meta_path) == n_finders
            assert_active(eds_tem.EDSTEMSpectrum(counts))
        decompose(eds_tem.EDSTEMSpectrum(counts))
        hyperspy_psnmf.deactivate()
        for cls in (eds_tem.EDSTEMSpectrum, eds_tem.EDSSpectrum):
            assert not hasattr(cls, "psnmf")
            assert not hasattr(cls.decomposition, "_is_psnmf")
        importlib.reload(eds_tem)
        assert not hasattr(eds_tem.EDSTEMSpectrum, "psnmf")
        """
    )


FOREIGN_FINDER = """
from importlib.machinery import PathFinder, SourceFileLoader

class Loader(SourceFileLoader):
    def exec_module(self, module):
        super().exec_module(module)
        module.served_by_foreign_finder = True

class Finder:
    def find_spec(self, name, path=None, target=None):
        if not name.startswith("exspy."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin.endswith(".py"):
            spec.loader = Loader(name, spec.origin)
        return spec
"""


@pytest.mark.parametrize("plugin_first", [False, True], ids=["finder first", "plugin first"])
def test_exspy_may_be_served_by_another_finder(plugin_first):
    before = "import hyperspy_psnmf" if plugin_first else ""
    run(
        f"{before}\n{FOREIGN_FINDER}"
        + textwrap.dedent(
            """
            sys.meta_path.insert(0, Finder())
            import exspy.signals.eds as eds, exspy.signals.eds_tem as eds_tem
            assert eds.served_by_foreign_finder and eds_tem.served_by_foreign_finder
            assert_active(eds_tem.EDSTEMSpectrum(counts))
            assert_active(eds_tem.EDSSpectrum(counts))
            """
        )
    )


@pytest.mark.parametrize("name", ["exspy.signals.eds", "exspy.signals.eds_tem"])
def test_patched_modules_can_still_be_inspected(name):
    module = sys.modules[name]
    assert "class EDS" in inspect.getsource(module)
    assert module.__loader__.get_filename(name) == module.__file__
    assert copy.deepcopy(module.__spec__).origin == module.__file__


def test_an_exception_while_patching_does_not_escape_from_the_import():
    printed = run(
        """
        import hyperspy_psnmf
        import hyperspy_psnmf._activation as activation
        def fail(cls):
            raise RuntimeError("a new eXSpy")
        activation._wrap = fail
        import hyperspy.api as hs, exspy
        s = exspy.signals.EDSTEMSpectrum(counts.astype(float))
        s.decomposition(algorithm="SVD", navigation_mask=None, print_info=False)
        """
    )
    assert "PSNMF could not be added" in printed


def test_without_exspy_hyperspy_and_the_package_still_import():
    run(
        """
        import importlib.metadata as metadata
        everything = metadata.entry_points
        metadata.entry_points = lambda **kwargs: metadata.EntryPoints(
            e for e in everything(**kwargs) if not e.value.startswith("exspy"))

        class NoExspy:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "exspy":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, NoExspy())
        import hyperspy.api as hs
        assert "hyperspy_psnmf" in sys.modules
        hs.signals.Signal1D(counts.astype(float)).decomposition(print_info=False)
        import hyperspy_psnmf
        hyperspy_psnmf.deactivate(); hyperspy_psnmf.activate()
        assert "exspy" not in sys.modules
        """
    )


# --- cost, and the switch


def modules_after(imports, code="", **environment):
    listed = f"""
import sys
before = set(sys.modules)
{imports}
print(*sorted(set(sys.modules) - before))
{code}
"""
    return set(run(listed, preamble="", **environment).split())


def assert_only_ours(extra):
    assert {name for name in extra if not name.startswith("hyperspy_psnmf")} == set()
    assert "hyperspy_psnmf" in extra


def test_importing_hyperspy_loads_nothing_because_of_us():
    stock = modules_after("import hyperspy.api", HYPERSPY_PSNMF_DISABLE="1")
    by_entry_point = modules_after("import hyperspy.api")
    assert_only_ours(by_entry_point - {name for name in stock if "psnmf" not in name})
    assert "numba" not in by_entry_point


def test_importing_exspy_loads_nothing_because_of_us_and_the_switch_works():
    stock = modules_after(
        "import exspy",
        """
s = exspy.signals.EDSTEMSpectrum([[1, 2], [3, 4]])
assert not hasattr(s, "psnmf")
assert not any(hasattr(finder, "_is_psnmf") for finder in sys.meta_path)
import hyperspy_psnmf
assert not hasattr(s, "psnmf")
hyperspy_psnmf.activate()
assert hasattr(s, "psnmf")
""",
        HYPERSPY_PSNMF_DISABLE="1",
    )
    active = modules_after(
        "import exspy",
        "assert hasattr(exspy.signals.EDSTEMSpectrum, 'psnmf')",
        HYPERSPY_PSNMF_DISABLE="0",
    )
    assert_only_ours(active - {name for name in stock if "psnmf" not in name})


def test_importing_the_package_loads_the_standard_library_and_itself_only():
    top_level = {name.partition(".")[0] for name in modules_after("import hyperspy_psnmf")}
    assert top_level - sys.stdlib_module_names == {"hyperspy_psnmf"}


def test_the_public_names_load_lazily_and_unknown_ones_say_so():
    assert set(hyperspy_psnmf.__all__) <= set(dir(hyperspy_psnmf))
    for name in hyperspy_psnmf.__all__:
        assert getattr(hyperspy_psnmf, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        hyperspy_psnmf.nonsense  # noqa: B018 - the look-up is the test
