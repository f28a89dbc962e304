# SPDX-License-Identifier: GPL-3.0-or-later
"""A made-up eXSpy of a few lines, with the modules and classes of several versions.

Those of eXSpy 0.3, of its main branch (0.4), and of what may come between.
"""

from tests.helpers.sessions import run

SIGNAL = """
class Signal1D:
    def __init__(self):
        self.learning_results = type("LearningResults", (), {})()
        self.metadata = {}

    def decomposition(self, normalize=False, algorithm="SVD"):
        return "eager", algorithm


class LazySignal1D(Signal1D):
    def decomposition(self, normalize=False, algorithm="SVD", num_chunks=None):
        return "lazy", algorithm
"""
EDS = """
from exspy.signal import Signal1D

class EDSSpectrum(Signal1D):
    pass
"""
LAZY_EDS = """
from exspy.signal import LazySignal1D

class LazyEDSSpectrum(EDSSpectrum, LazySignal1D):
    pass
"""
EDS_TEM = """
class EDSTEMSpectrum(EDSSpectrum):
    def decomposition(self, normalize=True, vacuum_mask=None, algorithm="SVD"):
        return "tem", *super().decomposition(normalize, algorithm)
"""
FROM_EDS = "from exspy.signals.eds import EDSSpectrum\n"
FROM_PRIVATE_EDS = "from exspy.signals._eds import EDSSpectrum\n"
# Shims: what is left of a public module when its classes have moved.
WARNS = """
def __getattr__(name):
    import warnings
    warnings.warn("This module has been privatised", DeprecationWarning)
    if name == "EDSSpectrum":
        from exspy.signals._eds import EDSSpectrum
        return EDSSpectrum
    raise AttributeError(name)
"""
RAISES = """
def __getattr__(name):
    if name in ("__path__", "__file__"):  # asked by Python's own import
        raise AttributeError(name)
    raise RuntimeError(f"asked for {name}")
"""
OLD = {
    "eds": EDS + LAZY_EDS,
    "eds_tem": FROM_EDS + EDS_TEM,
}
NEW = {
    "_eds": EDS,
    "_lazy_eds": FROM_PRIVATE_EDS + LAZY_EDS,
    "_eds_tem": FROM_PRIVATE_EDS + EDS_TEM,
}
LAYOUTS = {
    "0.3": OLD,
    "0.4 without the old modules": NEW,
    "0.4, shims that warn": NEW | {"eds": WARNS, "eds_tem": WARNS},
    "0.4, shims that raise": NEW | {"eds": RAISES, "eds_tem": RAISES},
    "0.4, the old modules import the new": NEW
    | {
        "eds": "from exspy.signals._eds import *\nfrom exspy.signals._lazy_eds import *",
        "eds_tem": "from exspy.signals._eds_tem import *",
    },
    "half moved": {
        "eds": EDS,
        "_lazy_eds": FROM_EDS + LAZY_EDS,
        "_eds_tem": FROM_EDS + EDS_TEM,
    },
}
CHECKS = """
import importlib.util, inspect, sys, types, warnings

def classes():
    return {
        name: vars(module)[name]
        for name in ("EDSSpectrum", "LazyEDSSpectrum", "EDSTEMSpectrum")
        for path, module in sys.modules.copy().items()
        if path.startswith("exspy.signals.") and name in vars(module)
    }

def assert_stock():
    from exspy.signal import LazySignal1D, Signal1D
    eds, lazy, tem = classes().values()
    assert "psnmf" not in vars(eds)
    assert eds.decomposition is Signal1D.decomposition
    assert lazy.decomposition is LazySignal1D.decomposition
    assert not hasattr(tem.decomposition, "_is_psnmf")
    assert signatures() == SIGNATURES

def signatures():
    return [len(inspect.signature(cls.decomposition).parameters) for cls in classes().values()]

SIGNATURES = [3, 4, 4]

def assert_active():
    eds, lazy, tem = classes().values()
    assert "psnmf" in vars(eds) and "psnmf" not in vars(lazy) and "psnmf" not in vars(tem)
    for cls in (eds, lazy, tem):
        assert vars(cls)["decomposition"]._is_psnmf
        # Wrapped once, and around what the class has without us.
        assert not hasattr(vars(cls)["decomposition"].__wrapped__, "_is_psnmf")
    assert signatures() == SIGNATURES
    assert eds().decomposition() == ("eager", "SVD")
    assert lazy().decomposition(algorithm="NMF") == ("lazy", "NMF")
    assert tem().decomposition(True, None, "NMF") == ("tem", "eager", "NMF")
    # What PSNMF calls stands here for PSNMF, which needs the real HyperSpy.
    ours = types.ModuleType("hyperspy_psnmf.eds.decompose.decompose")
    ours.decompose_as_stock = lambda signal, original, args, kwargs: "PSNMF"
    sys.modules[ours.__name__] = ours
    assert eds().decomposition(algorithm="PSNMF") == "PSNMF"
    assert lazy().decomposition(False, "PSNMF", 3) == "PSNMF"
    assert tem().decomposition(True, None, "PSNMF") == "PSNMF"
"""


def run_with_fake(folder, modules, code, signal=SIGNAL):
    """Run code where eXSpy has these modules of signals; return what it printed.

    Warnings are errors there, so that none of a deprecated module goes unnoticed.
    """
    signals = folder / "exspy" / "signals"
    signals.mkdir(parents=True)
    (signals / "__init__.py").touch()
    (folder / "exspy" / "__init__.py").touch()
    (folder / "exspy" / "signal.py").write_text(signal)
    for name, source in modules.items():
        (signals / f"{name}.py").write_text(source)
    path = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    strict = CHECKS + "warnings.simplefilter('error')\n"
    return run(path + strict + code, preamble="")
