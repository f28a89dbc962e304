from hyperspy_psnmf import data as data
from hyperspy_psnmf import results as results
from hyperspy_psnmf._activation import activate as activate
from hyperspy_psnmf._activation import deactivate as deactivate
from hyperspy_psnmf._version import __version__ as __version__
from hyperspy_psnmf.estimators import PSNMF as PSNMF
from hyperspy_psnmf.estimators import PoissonNMF as PoissonNMF

__all__ = ["PSNMF", "PoissonNMF", "__version__", "activate", "data", "deactivate", "results"]
