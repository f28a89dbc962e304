# SPDX-License-Identifier: GPL-3.0-or-later
"""Activation survives reloads, other finders and errors, and costs next to nothing.

Each session takes seconds to import eXSpy: what `test_activation_layouts.py` tries with a
stand-in for eXSpy is thorough here.
"""

import copy
import inspect
import sys
import textwrap

import exspy.signals
import pytest

import hyperspy_psnmf
from tests.helpers.sessions import run


@pytest.mark.thorough
def test_activation_imports__reloading_modules_keeps_one_working_patch():
    run(
        """
        import exspy.signals, hyperspy_psnmf
        eds_tem = sys.modules[exspy.signals.EDSTEMSpectrum.__module__]
        import hyperspy_psnmf._activation as activation
        for module in (hyperspy_psnmf, activation, hyperspy_psnmf, eds_tem, eds_tem):
            importlib.reload(module)
            assert_active(eds_tem.EDSTEMSpectrum(counts))
            hyperspy_psnmf.activate()
            assert sum(hasattr(finder, "_is_psnmf") for finder in sys.meta_path) == 1
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


@pytest.mark.thorough
@pytest.mark.parametrize("plugin_first", [False, True], ids=["finder first", "plugin first"])
def test_activation_imports__exspy_may_be_served_by_another_finder(plugin_first):
    before = "import hyperspy_psnmf" if plugin_first else ""
    run(
        f"{before}\n{FOREIGN_FINDER}"
        + textwrap.dedent(
            """
            sys.meta_path.insert(0, Finder())
            import exspy.signals
            for cls in (exspy.signals.EDSTEMSpectrum, exspy.signals.EDSSpectrum):
                assert sys.modules[cls.__module__].served_by_foreign_finder
                assert_active(cls(counts))
            """
        )
    )


@pytest.mark.parametrize("cls", ["EDSSpectrum", "EDSTEMSpectrum"])
def test_activation_imports__patched_modules_can_still_be_inspected(cls):
    name = getattr(exspy.signals, cls).__module__
    module = sys.modules[name]
    assert "class EDS" in inspect.getsource(module)
    assert module.__loader__.get_filename(name) == module.__file__
    assert copy.deepcopy(module.__spec__).origin == module.__file__


@pytest.mark.thorough
def test_activation_imports__no_deprecated_module_of_exspy_is_asked_for_anything():
    run(
        """
        import warnings
        warnings.filterwarnings("error", message=".*has been privatised")
        import exspy.signals.eds, exspy.signals.eds_tem, hyperspy_psnmf
        s = exspy.signals.EDSTEMSpectrum(counts)
        assert_active(s)
        decompose(s)
        s.psnmf.phase_spectra(), s.psnmf.phase_maps()
        hyperspy_psnmf.deactivate(); hyperspy_psnmf.activate()
        assert_active(s)
        """
    )


@pytest.mark.thorough
@pytest.mark.parametrize("first", ["EDSSpectrum", "EDSTEMSpectrum", "LazyEDSSEMSpectrum"])
def test_activation_imports__psnmf_is_there_at_once_on_the_class_that_is_used_first(first):
    run(
        f"""
        from exspy.signals import {first} as cls
        assert any("psnmf" in vars(base) for base in cls.__mro__)
        assert cls.decomposition._is_psnmf
        """
    )


@pytest.mark.thorough
def test_activation_imports__an_exception_while_patching_does_not_escape_from_the_import():
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


@pytest.mark.slow
def test_activation_imports__without_exspy_hyperspy_and_the_package_still_import():
    run(
        """
        import importlib.metadata as metadata
        everything = metadata.entry_points
        metadata.entry_points = lambda **kwargs: metadata.EntryPoints(
            e for e in everything(**kwargs) if not e.value.startswith("exspy")
        ) if kwargs else everything()  # all at once, Python 3.10 has them as a dict

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


def modules_after(*imports, code="", **environment):
    """Return what is loaded after each of some imports, one after the other."""
    listed = "\n".join(f"{each}\nprint(*sorted(set(sys.modules) - before))" for each in imports)
    printed = run(
        f"import sys\nbefore = set(sys.modules)\n{listed}\n{code}", preamble="", **environment
    )
    return [set(line.split()) for line in printed.splitlines()[: len(imports)]]


def assert_only_ours(extra):
    assert {name for name in extra if not name.startswith("hyperspy_psnmf")} == set()
    assert "hyperspy_psnmf" in extra


@pytest.mark.slow
def test_activation_imports__importing_others_loads_nothing_because_of_us_and_the_switch_works():
    imports = "import hyperspy.api", "import exspy; exspy.signals.EDSTEMSpectrum"
    stock = modules_after(
        *imports,
        code="""
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
        *imports,
        code="assert hasattr(exspy.signals.EDSTEMSpectrum, 'psnmf')",
        HYPERSPY_PSNMF_DISABLE="0",
    )
    for with_us, without in zip(active, stock, strict=True):
        assert_only_ours(with_us - {name for name in without if "psnmf" not in name})
    assert "numba" not in active[0]


def test_activation_imports__importing_the_package_loads_the_standard_library_and_itself_only():
    top_level = {name.partition(".")[0] for name in modules_after("import hyperspy_psnmf")[0]}
    assert top_level - sys.stdlib_module_names == {"hyperspy_psnmf"}


@pytest.mark.slow
def test_activation_imports__a_decomposition_by_name_needs_neither_scikit_learn_nor_scipy_stats():
    quietly = "print_info=False, show_progressbar=False"
    before, after = modules_after(
        "from hyperspy_psnmf import data; s = data.mineral_grains(shape=(16, 12))",
        f"s.decomposition(algorithm='PSNMF', output_dimension=2, {quietly})",
    )
    assert "hyperspy_psnmf.nmf.method.psnmf" in after
    assert {"sklearn", "scipy.stats", "pandas"} & (after - before) == set()


def test_activation_imports__the_public_names_load_lazily_and_unknown_ones_say_so():
    assert set(hyperspy_psnmf.__all__) <= set(dir(hyperspy_psnmf))
    for name in hyperspy_psnmf.__all__:
        assert getattr(hyperspy_psnmf, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        hyperspy_psnmf.nonsense  # noqa: B018 - the look-up is the test
