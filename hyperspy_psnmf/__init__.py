# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmix Poisson-noisy EDS maps into phases with PSNMF, inside HyperSpy.

Once installed, ``s.decomposition(algorithm="PSNMF", output_dimension=3)`` works
on every EDS signal, and ``s.psnmf`` has the methods for its result, without an import of
this package. Its parts are imported when first used.
"""

import importlib

from hyperspy_psnmf._activation import activate, deactivate
from hyperspy_psnmf._version import __version__

_LAZY = {
    "PSNMF": "estimators",
    "PoissonNMF": "estimators",
    "data": "data",
    "results": "results",
}

__all__ = ["PSNMF", "PoissonNMF", "__version__", "activate", "data", "deactivate", "results"]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_LAZY[name]}")
    return module if name == _LAZY[name] else getattr(module, name)


def __dir__():
    return sorted(__all__)


activate(unless_disabled=True)
