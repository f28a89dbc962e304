# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the methods that are compared, their adapters and environments."""

from dataclasses import dataclass
from importlib import import_module

PACKAGE = "tests.benchmarks.rivals.adapters"


@dataclass(frozen=True)
class Method:
    """A method: the module and function of its adapter, and where it runs."""

    title: str
    module: str
    environment: str

    def adapter(self, name: str):
        """Return the adapter; its module may import what only its environment has."""
        return getattr(import_module(f"{PACKAGE}.{self.module}"), name)


METHODS = {
    "psnmf_lines": Method("PSNMF, lines", "psnmf", "here"),
    "psnmf_free": Method("PSNMF, free", "psnmf", "here"),
    "psnmf_pixels": Method("PSNMF, lines, maps not smoothed", "psnmf", "here"),
    "pca_bss": Method("PCA + BSS of spectra", "stock", "stock"),
    "pca_bss_maps": Method("PCA + BSS of maps", "stock", "stock"),
    "stock_nmf": Method("HyperSpy's NMF", "stock", "stock"),
    "sklearn_kl": Method("scikit-learn's NMF, KL", "learn", "stock"),
    "espm_guided": Method("espm, physics-guided", "espm_nmf", "espm"),
    "espm_plain": Method("espm, plain", "espm_nmf", "espm"),
    "pca": Method("weighted PCA, k", "stock", "stock"),
    "pca_elbow": Method("weighted PCA, elbow", "stock", "stock"),
    "pca_2": Method("weighted PCA, k, Gaussian filter of 2 pixels", "stock", "stock"),
    "mfwls": Method("mfWLS", "mfwls", "here"),
    "mfwls_1": Method("mfWLS, Gaussian filter of 1 pixel", "mfwls", "here"),
    "mfwls_2": Method("mfWLS, Gaussian filter of 2 pixels", "mfwls", "here"),
    "mfwls_exspy": Method("mfWLS, eXSpy's model", "mfwls", "stock"),
    "gaussian_1": Method("windows, Gaussian filter of 1 pixel", "learn", "stock"),
    "gaussian_2": Method("windows, Gaussian filter of 2 pixels", "learn", "stock"),
}
