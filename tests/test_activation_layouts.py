# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF finds eXSpy's EDS classes in whichever modules they are."""

import functools
import itertools

import pytest

from tests.helpers.fake_exspy import LAYOUTS, NEW, RAISES, SIGNAL, WARNS, run_with_fake

DEACTIVATE_AND_BACK = """
for _ in range(2):
    hyperspy_psnmf.deactivate()
    assert_stock()
    hyperspy_psnmf.activate()
    assert_active()
    hyperspy_psnmf.activate()
    assert_active()
"""


@pytest.fixture
def run_with(tmp_path):
    return functools.partial(run_with_fake, tmp_path)


def import_lines(modules):
    return [f"import exspy.signals.{name}" for name in modules]


@pytest.mark.slow
@pytest.mark.parametrize("plugin_at", [0, 1, -1], ids=["plugin first", "between", "plugin last"])
@pytest.mark.parametrize("modules", LAYOUTS.values(), ids=LAYOUTS)
def test_layout__classes_found_whichever_is_imported_first(modules, plugin_at, run_with):
    lines = import_lines(modules)
    lines.insert(plugin_at if plugin_at >= 0 else len(lines), "import hyperspy_psnmf")
    run_with(modules, "\n".join([*lines, "assert_active()", DEACTIVATE_AND_BACK]))


@pytest.mark.parametrize("order", list(itertools.permutations(NEW)), ids=" ".join)
def test_new_layout__classes_found_in_every_order_of_modules(order, run_with):
    lines = ["import hyperspy_psnmf", *import_lines(order), "assert_active()"]
    run_with(NEW, "\n".join([*lines, DEACTIVATE_AND_BACK]))


# eXSpy's modules import HyperSpy, which imports the plugin, before they define their classes.
BRINGS_PLUGIN = SIGNAL + "import hyperspy_psnmf\n"


@pytest.mark.parametrize("first", NEW)
def test_new_layout__classes_found_where_their_module_brings_the_plugin(first, run_with):
    lines = import_lines([first, *NEW])
    run_with(
        NEW,
        "\n".join([*lines, "import hyperspy_psnmf", "assert_active()", DEACTIVATE_AND_BACK])
        + f"\nassert type(exspy.signals.{first}) is types.ModuleType",
        BRINGS_PLUGIN,
    )


@pytest.mark.parametrize("modules", LAYOUTS.values(), ids=LAYOUTS)
def test_layout__first_use_of_a_class_whose_module_brings_the_plugin(modules, run_with):
    module = next(name for name in modules if "class EDSSpectrum" in modules[name])
    run_with(
        modules,
        f"""
from exspy.signals.{module} import EDSSpectrum
assert "psnmf" in vars(EDSSpectrum) and EDSSpectrum.decomposition._is_psnmf
assert EDSSpectrum().decomposition() == ("eager", "SVD")
""",
        BRINGS_PLUGIN,
    )


def test_deactivate__leaves_alone_a_module_that_is_being_loaded(run_with):
    run_with(
        NEW,
        """
from exspy.signals._eds import EDSSpectrum
from exspy.signal import Signal1D
assert "psnmf" not in vars(EDSSpectrum)
assert EDSSpectrum.decomposition is Signal1D.decomposition
assert type(sys.modules["exspy.signals._eds"]) is types.ModuleType
""",
        BRINGS_PLUGIN + "hyperspy_psnmf.deactivate()\n",
    )


@pytest.mark.parametrize("shim", [WARNS, RAISES], ids=["warns", "raises"])
@pytest.mark.parametrize("plugin_first", [True, False], ids=["plugin first", "shim first"])
def test_shim__never_asked_for_anything(shim, plugin_first, run_with):
    lines = ["import exspy.signals.eds, exspy.signals.eds_tem"]
    lines.insert(0 if plugin_first else 1, "import hyperspy_psnmf")
    code = """
import exspy.signals._lazy_eds, exspy.signals._eds_tem
assert importlib.util.find_spec("no_such_module") is None
assert_active()
hyperspy_psnmf.deactivate()
hyperspy_psnmf.activate()
"""
    run_with(NEW | {"eds": shim, "eds_tem": shim}, "\n".join([*lines, code]))


def test_shim_that_warns__still_warns_the_user_and_has_the_patched_class(run_with):
    run_with(
        NEW | {"eds": WARNS},
        """
import exspy.signals._lazy_eds, exspy.signals._eds_tem, exspy.signals.eds as old, hyperspy_psnmf
try:
    old.EDSSpectrum
except DeprecationWarning as warning:
    assert "privatised" in str(warning)
else:
    raise AssertionError("no warning")
warnings.simplefilter("ignore")
assert old.EDSSpectrum.decomposition._is_psnmf
""",
    )


@pytest.mark.parametrize("name", ["_eds", "_lazy_eds", "_eds_tem"])
def test_new_layout__reload_keeps_one_working_patch(name, run_with):
    run_with(
        NEW,
        f"""
import exspy.signals._lazy_eds, exspy.signals._eds_tem, hyperspy_psnmf
import hyperspy_psnmf._activation as activation
before = list(classes().values())
importlib.reload(sys.modules["exspy.signals.{name}"])
assert_active()
importlib.reload(activation)
importlib.reload(hyperspy_psnmf)
assert_active()
hyperspy_psnmf.deactivate()
# The classes of before the reload are still bases of others.
for cls in (*before[:1], *classes().values()):
    assert not hasattr(cls, "psnmf") and not hasattr(cls.decomposition, "_is_psnmf")
""",
    )


def test_new_layout__served_by_another_finder(run_with):
    run_with(
        NEW,
        """
from importlib.machinery import PathFinder
import hyperspy_psnmf

class Finder:
    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, path, target) if name.startswith("exspy.") else None

sys.meta_path.insert(0, Finder())
import exspy.signals._lazy_eds, exspy.signals._eds_tem
import colorsys  # the next import of anything is when we look again
assert_active()
""",
    )


def test_new_layout__a_module_that_loads_when_first_used_is_not_loaded_by_us(run_with):
    run_with(
        NEW,
        """
import hyperspy_psnmf
import exspy.signals
loaded = []
spec = importlib.util.find_spec("exspy.signals._eds")
spec.loader = importlib.util.LazyLoader(spec.loader)
lazy = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lazy)
import colorsys
hyperspy_psnmf.activate()
assert "EDSSpectrum" not in object.__getattribute__(lazy, "__dict__")
assert lazy.EDSSpectrum.decomposition._is_psnmf
""",
    )


BROKEN = {
    "blocked": "sys.modules['exspy.signals.eds'] = sys.modules['exspy.signals._eds'] = None",
    "no module": "sys.modules['exspy.signals.eds'] = sys.modules['exspy.signals._eds'] = object()",
    "no class": "import exspy.signals._eds as m; m.EDSSpectrum = m.LazyEDSSpectrum = 3",
    "no decomposition": "import exspy.signals._eds as m; m.EDSSpectrum = type('E', (), {})",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_activation__raises_nothing_on_an_eXSpy_that_is_broken(broken, run_with):
    printed = run_with(
        NEW,
        f"{broken}\nimport hyperspy_psnmf; hyperspy_psnmf.deactivate(); hyperspy_psnmf.activate()",
    )
    assert ("could not be added" in printed) == ("type('E'" in broken)
