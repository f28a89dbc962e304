# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers import one way, and within a layer so do its rooms; no folder or file is too full.

The layers: kernels <- nmf <- estimators <- eds <- data <- plot <- results <- gui <- accessor <-
doctor <- __main__, and the tests in the package.
`_activation` is the bridge from HyperSpy: it runs inside HyperSpy's own import, so it imports
nothing but the standard library then, and the two modules it hands over to (`eds` and
`accessor`) inside the functions that need them.
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import hyperspy_psnmf

PACKAGE = "hyperspy_psnmf"
ROOT = Path(hyperspy_psnmf.__file__).parent
# What each layer may import from outside, beside what the layers before it may.
LAYERS = {
    "kernels": {"joblib", "numpy", "numba"},
    "nmf": {"scipy", "threadpoolctl"},
    "estimators": {"sklearn"},
    "eds": {"hyperspy", "exspy", "dask", "prettytable", "psutil"},
    "data": set(),
    "plot": {"matplotlib", "mpl_toolkits"},
    "results": set(),
    "gui": {
        "IPython",
        "hyperspy_gui_ipywidgets",
        "hyperspy_gui_traitsui",
        "ipywidgets",
        "link_traits",
        "pyface",
        "traits",
        "traitsui",
    },
    "accessor": set(),
    "doctor": {"rsciio"},
    "__main__": set(),
    "tests": {"pytest"},
}
# Rooms of a layer: each imports itself and those before it. "" are the modules of no room.
ROOMS = {
    "kernels": ["", "newton"],
    "nmf": [
        "",
        "counts",
        "binning",
        "solver",
        "held_out",
        "lines",
        "parsimony",
        "method",
        "selection",
        "uncertainty",
        "diagnostics",
    ],
    "eds": [
        "",
        "xray",
        "signals",
        "lazy",
        "files",
        "images",
        "line_model",
        "unlisted",
        "lines",
        "fit_check",
        "decompose",
        "uncertainty",
        "phase_map",
        "formulas",
        "quantify",
    ],
    "data": ["geometry", "physics", ""],
    "gui": ["model", "", "ipywidgets", "traitsui"],
}
MAX_MODULES = 13  # in a folder, besides __init__.py
MAX_LINES = 300
# No layers: they import the standard library and each other, nothing heavy.
LIGHT = {"__init__", "_activation", "_compat", "_version", "autoload"}
FOR_ALL = {"_compat", "_version"}  # what layers may import of these
LIGHT_NAMES = {"__version__", "activate", "deactivate"}
BRIDGE = {"_activation": {"eds", "accessor"}}
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def read_imports(source, file):
    """Yield (dotted name, whether inside a function) of all imports, those for types included.

    The name is that of a module, or of what is imported from one.
    """
    tree = ast.parse(source)
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    folder = [PACKAGE, *file.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{module}.{alias.name}", id(node) in late) for alias in node.names)


def layer_of(file):
    return file.split("/")[0].removesuffix(".py")


def room_of(file):
    """Return the room of a file, "" for one that lies directly in its layer."""
    inside = file.split("/")[1:-1]
    return inside[0] if inside else ""


def room_of_name(name):
    """Return (layer, room) of what an import of this package names."""
    _, layer, *rest = name.split(".")
    return layer, rest[0] if rest and rest[0] in ROOMS.get(layer, ()) else ""


def is_allowed(file, name, late):
    """Return whether a module of the package may import `name`."""
    top, *rest = name.split(".")
    if top == "__future__" or (top in sys.stdlib_module_names and top != PACKAGE):
        return True
    layer, target = layer_of(file), rest[0] if rest else "__init__"
    if layer in LIGHT:
        bridged = late and target in BRIDGE.get(layer, ())
        return top == PACKAGE and (bridged or target in LIGHT | LIGHT_NAMES)
    if layer not in LAYERS:
        return False
    below = [*LAYERS][: [*LAYERS].index(layer) + 1]
    if top != PACKAGE:
        return any(top in LAYERS[each] for each in below)
    if target != layer:
        return target in (*below, *FOR_ALL)
    order, room = ROOMS.get(layer, [""]), room_of_name(name)[1]
    return room_of(file) in order and order.index(room) <= order.index(room_of(file))


def violations(source, file):
    return [
        f"{file} imports {name}"
        for name, late in read_imports(source, file)
        if not is_allowed(file, name, late)
    ]


def has_cycle(arrows):
    """Return whether a graph, as {from: set of to}, has a circle."""
    arrows = {name: set(to) - {name} for name, to in arrows.items()}
    while free := [name for name, to in arrows.items() if not to & arrows.keys()]:
        for name in free:
            del arrows[name]
    return bool(arrows)


@pytest.mark.slow
def test_imports__one_way():
    found = {file: violations((ROOT / file).read_text(encoding="utf-8"), file) for file in FILES}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.slow
@pytest.mark.parametrize("layer", ROOMS)
def test_rooms__derived_graph_has_no_circle(layer):
    arrows = defaultdict(set)
    for file in FILES:
        if layer_of(file) == layer and file != f"{layer}/__init__.py":
            names = [n for n, _ in read_imports((ROOT / file).read_text(encoding="utf-8"), file)]
            inside = [room_of_name(n) for n in names if n.startswith(f"{PACKAGE}.{layer}.")]
            arrows[room_of(file)].update(room for _, room in inside)
    assert not has_cycle(arrows), dict(arrows)


def test_modules__each_has_its_layer_and_room():
    assert {layer_of(file) for file in FILES} <= {*LAYERS, *LIGHT}
    rooms = {(layer_of(file), room_of(file)) for file in FILES if "/" in file}
    known = {(layer, room) for layer in LAYERS for room in ROOMS.get(layer, [""])}
    assert rooms <= known
    assert known - rooms <= {(layer, "") for layer in LAYERS}


def test_contributing__names_each_layer_and_room():
    if not (ROOT.parent / "CONTRIBUTING.md").exists():
        pytest.skip("an installed package has no CONTRIBUTING.md")
    text = (ROOT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = [f"{layer}/{room}".strip("/") for layer in LAYERS for room in ROOMS.get(layer, [""])]
    assert [path for path in paths if f"`{path}`" not in text and path != "__main__"] == []


def test_folders__not_more_than_thirteen_modules():
    counted = defaultdict(int)
    for folder in (ROOT, Path(__file__).parent):
        for file in folder.rglob("*.py"):
            counted[file.parent] += file.name != "__init__.py"
    assert {str(folder): n for folder, n in counted.items() if n > MAX_MODULES} == {}


def test_files__not_more_than_300_lines():
    files = [*ROOT.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]
    lengths = {str(file): len(file.read_text("utf-8").splitlines()) for file in files}
    assert {file: n for file, n in lengths.items() if n > MAX_LINES} == {}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        # Layers, in every form of import.
        ("kernels/em.py", "import scipy.sparse as sp"),
        ("kernels/em.py", "from hyperspy_psnmf.nmf.binning import bins"),
        ("kernels/em.py", "from hyperspy_psnmf import nmf"),
        ("kernels/em.py", "from hyperspy_psnmf import PSNMF"),
        ("kernels/em.py", "import hyperspy_psnmf.nmf"),
        ("kernels/em.py", "from ..nmf.bins import PixelBins"),
        ("kernels/__init__.py", "from ..nmf import bins"),
        ("kernels/em.py", "class A:\n    async def f(self):\n        import dask"),
        ("kernels/em.py", "try:\n    import scipy\nexcept ImportError:\n    pass"),
        ("nmf/solver/deep/er.py", "from ....eds import axes"),
        ("estimators/psnmf.py", "import hyperspy.api as hs"),
        ("eds/lazy/read.py", "from hyperspy_psnmf.data import mineral_grains"),
        ("data/__init__.py", "from hyperspy_psnmf.plot import plot"),
        ("plot/phases.py", "import ipywidgets"),
        ("gui/ipywidgets/view.py", "from hyperspy_psnmf.accessor import PSNMFAccessor"),
        ("accessor/__init__.py", "from hyperspy_psnmf.__main__ import main"),
        ("__main__.py", "import pandas"),
        ("new_module.py", "from hyperspy_psnmf.kernels import em"),
        # Rooms.
        ("nmf/counts/matrix.py", "from hyperspy_psnmf.nmf.solver.convex import normalise"),
        ("nmf/counts/matrix.py", "from hyperspy_psnmf.nmf.solver import convex"),
        ("nmf/counts/matrix.py", "from hyperspy_psnmf.nmf import solver"),
        ("nmf/counts/matrix.py", "from ..solver import convex"),
        ("nmf/counts/matrix.py", "from .. import solver"),
        ("nmf/counts/matrix.py", "def f():\n    from hyperspy_psnmf.nmf.solver import convex"),
        ("nmf/validation.py", "if TYPE_CHECKING:\n    from hyperspy_psnmf.nmf.counts import A"),
        ("nmf/nowhere/new.py", "from hyperspy_psnmf.nmf.counts import matrix"),
        ("data/physics/xray.py", "from hyperspy_psnmf.data.specimen import Phase"),
        # Light modules.
        ("_activation.py", "def f():\n    import numpy"),
        ("_activation.py", "from hyperspy_psnmf.eds.decompose.decompose import decompose"),
        ("_activation.py", "def f():\n    from hyperspy_psnmf.plot import plot"),
        ("__init__.py", "from .estimators import PSNMF"),
        ("autoload.py", "import numba"),
        ("_compat.py", "def f():\n    import exspy"),
        ("_compat.py", "from hyperspy_psnmf.kernels import em"),
        ("nmf/validation.py", "from hyperspy_psnmf._activation import activate"),
    ],
)
def test_violations__import_against_the_arrow_is_found(file, source):
    assert len(violations(source, file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("kernels/em.py", "import math, os\nimport numpy as np\nimport numba"),
        (
            "kernels/em.py",
            "from . import parallel\nfrom ._compile import jit\nfrom .. import kernels",
        ),
        ("estimators/psnmf.py", "from .base import Model\nfrom hyperspy_psnmf import nmf"),
        ("kernels/em.py", "from hyperspy_psnmf._compat import without_reference_counts"),
        ("eds/a.py", "from hyperspy_psnmf._version import __version__\nimport exspy, dask.array"),
        ("nmf/solver/convex.py", "from ..counts import matrix\nfrom . import volume\nimport scipy"),
        ("nmf/solver/convex.py", "from hyperspy_psnmf.nmf.validation import check_int"),
        ("data/spectra.py", "from hyperspy_psnmf.data.physics import xray"),
        ("_activation.py", "import sys\ndef f():\n    from hyperspy_psnmf.accessor import A"),
        ("__init__.py", "from . import _activation\nfrom hyperspy_psnmf import activate"),
    ],
)
def test_violations__import_along_the_arrow_is_not_found(file, source):
    assert violations(source, file) == []


def test_has_cycle__found_over_three_rooms():
    assert has_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()})
    assert not has_cycle({"a": {"a", "b"}, "b": {"c"}, "c": set()})
