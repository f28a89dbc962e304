# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports run one way: kernels <- nmf <- estimators <- eds <- plot <- gui <- accessor <- __main__.

The simulated maps of `data` are signals, so `data` comes right after `eds`.
`_activation` is the bridge from HyperSpy: it runs inside HyperSpy's own import, so it
imports nothing but the standard library then, and the two modules it hands over to
(`eds` and `accessor`) inside the functions that need them.
"""

import ast
import sys
from pathlib import Path

import pytest

import hyperspy_psnmf

PACKAGE = "hyperspy_psnmf"
ROOT = Path(hyperspy_psnmf.__file__).parent
LAYERS = ["kernels", "nmf", "estimators", "eds", "data", "plot", "gui", "accessor", "__main__"]
# What each layer may import from outside, beside what the layers below it may.
OUTSIDE = {
    "kernels": {"numpy", "numba"},
    "nmf": {"scipy"},
    "estimators": {"sklearn"},
    "eds": {"hyperspy", "exspy", "dask", "prettytable", "traits"},
    "data": set(),
    "plot": {"matplotlib", "mpl_toolkits"},
    "gui": {
        "IPython",
        "hyperspy_gui_ipywidgets",
        "hyperspy_gui_traitsui",
        "ipywidgets",
        "link_traits",
        "pyface",
        "traitsui",
    },
    "accessor": set(),
    "__main__": set(),
}
# No layers: they import the standard library and each other, nothing heavy.
LIGHT = {"__init__", "_activation", "_version", "autoload"}
BRIDGE = {"_activation": {"eds", "accessor"}}
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def name_of(file):
    """Return the dotted name of a module inside the package and whether it is a package."""
    parts = file.removesuffix(".py").split("/")
    is_package = parts[-1] == "__init__"
    return ".".join(parts[:-1] if is_package and len(parts) > 1 else parts), is_package


def absolute_name(node, module, is_package):
    """Return the module that a ``from ... import`` names, in full."""
    if not node.level:
        return node.module
    here = [PACKAGE, *([] if module == "__init__" else module.split("."))]
    if not is_package:
        here = here[:-1]
    here = here[: len(here) - (node.level - 1)]
    return ".".join([*here, *([node.module] if node.module else [])])


def imports_of(source, module, is_package):
    """Yield (dotted name, whether inside a function) for all imports of a source text."""
    tree = ast.parse(source)
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = absolute_name(node, module, is_package)
            # "from package import layer" imports a module, "from layer import name" does not.
            names = (f"{name}.{a.name}" for a in node.names) if name == PACKAGE else [name]
            yield from ((n, id(node) in late) for n in names)


def is_allowed(module, name, late):
    """Tell whether a module of the package may import `name`."""
    top, *rest = name.split(".")
    layer = module.split(".")[0]
    if top == "__future__" or (top in sys.stdlib_module_names and top != PACKAGE):
        return True
    target = rest[0] if rest else "__init__"
    if layer in LIGHT:
        bridged = late and target in BRIDGE.get(layer, ())
        return top == PACKAGE and (bridged or target in LIGHT or is_light_name(target))
    if layer not in LAYERS:
        return False
    below = LAYERS[: LAYERS.index(layer) + 1]
    if top == PACKAGE:
        return target in (*below, "_version")
    return any(top in OUTSIDE[b] for b in below)


def is_light_name(name):
    """Tell a function of a light module, as in ``from hyperspy_psnmf import activate``."""
    return name in {"__version__", "activate", "deactivate"}


def violations(source, file):
    module, is_package = name_of(file)
    return [
        f"{file} imports {name}"
        for name, late in imports_of(source, module, is_package)
        if not is_allowed(module, name, late)
    ]


@pytest.mark.parametrize("file", FILES)
def test_imports_run_one_way(file):
    assert violations((ROOT / file).read_text(encoding="utf-8"), file) == []


def test_every_module_has_its_place():
    found = {name_of(file)[0].split(".")[0] for file in FILES}
    assert found <= {*LAYERS, *LIGHT}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("kernels/em.py", "import scipy"),
        ("kernels/em.py", "import scipy.sparse as sp"),
        ("kernels/em.py", "from sklearn.base import BaseEstimator"),
        ("kernels/em.py", "from hyperspy_psnmf.nmf.binning.bins import PixelBins"),
        ("kernels/em.py", "from hyperspy_psnmf.nmf import bins"),
        ("kernels/em.py", "from hyperspy_psnmf import nmf"),
        ("kernels/em.py", "from hyperspy_psnmf import PSNMF"),
        ("kernels/em.py", "import hyperspy_psnmf"),
        ("kernels/em.py", "import hyperspy_psnmf.nmf"),
        ("kernels/em.py", "from .. import nmf"),
        ("kernels/em.py", "from ..nmf.bins import PixelBins"),
        ("kernels/__init__.py", "from ..nmf import bins"),
        ("kernels/em.py", "def f():\n    from hyperspy_psnmf.nmf import bins"),
        ("kernels/em.py", "class A:\n    async def f(self):\n        import dask"),
        (
            "kernels/em.py",
            "if True:\n    try:\n        import scipy\n    except ImportError:\n        pass",
        ),
        ("nmf/solver/alternating.py", "import sklearn"),
        ("nmf/solver/alternating.py", "from hyperspy_psnmf.estimators import PSNMF"),
        ("nmf/solver/alternating.py", "from .. import estimators"),
        ("nmf/deep/er.py", "from ...eds import axes"),
        ("estimators.py", "from hyperspy_psnmf.eds import axes"),
        ("estimators.py", "from .eds import axes"),
        ("estimators/__init__.py", "from ..eds import axes"),
        ("estimators/psnmf.py", "import hyperspy.api as hs"),
        ("eds/maps.py", "from hyperspy_psnmf.data import mineral_grains"),
        ("eds/maps.py", "import matplotlib.pyplot as plt"),
        ("data/geometry/maps.py", "from ... import plot"),
        ("data/__init__.py", "from hyperspy_psnmf.plot import plot"),
        ("plot.py", "from hyperspy_psnmf.gui import widget"),
        ("plot.py", "import ipywidgets"),
        ("gui/ipywidgets/view.py", "from hyperspy_psnmf.accessor import PSNMFAccessor"),
        ("accessor.py", "from hyperspy_psnmf.__main__ import main"),
        ("__main__.py", "import pandas"),
        ("_activation.py", "import numpy"),
        ("_activation.py", "def f():\n    import numpy"),
        ("_activation.py", "import hyperspy"),
        ("_activation.py", "from hyperspy_psnmf.eds.decompose.decompose import decompose"),
        ("_activation.py", "def f():\n    from hyperspy_psnmf.plot import plot"),
        ("__init__.py", "from hyperspy_psnmf.estimators import PSNMF"),
        ("__init__.py", "from .estimators import PSNMF"),
        ("__init__.py", "from . import estimators"),
        ("autoload.py", "import numba"),
        ("_version.py", "from hyperspy_psnmf import data"),
        ("new_module.py", "from hyperspy_psnmf.kernels import em"),
    ],
)
def test_an_import_against_the_arrow_is_caught(file, source):
    assert len(violations(source, file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("kernels/em.py", "import math, os\nimport numpy as np\nimport numba"),
        (
            "kernels/em.py",
            "from . import threads\nfrom ._compile import jit\nfrom .. import kernels",
        ),
        ("nmf/__init__.py", "from . import bins\nfrom ..kernels import em\nimport scipy"),
        (
            "estimators.py",
            "from .nmf import bins\nimport sklearn\nfrom ._version import __version__",
        ),
        ("estimators/psnmf.py", "from .base import Model\nfrom hyperspy_psnmf import nmf"),
        ("eds/a.py", "from hyperspy_psnmf._version import __version__\nimport exspy, dask.array"),
        ("data/__init__.py", "from hyperspy_psnmf.data import mineral_grains"),
        ("gui/traitsui/view.py", "import traitsui.api\nfrom hyperspy_psnmf.plot import plot"),
        ("__main__.py", "from hyperspy_psnmf import accessor, data, plot"),
        ("_activation.py", "import sys\ndef f():\n    from hyperspy_psnmf.accessor import A"),
        (
            "__init__.py",
            "from . import _activation\nfrom hyperspy_psnmf._version import __version__",
        ),
    ],
)
def test_an_import_along_the_arrow_is_not(file, source):
    assert violations(source, file) == []
