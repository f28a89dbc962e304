# SPDX-License-Identifier: GPL-3.0-or-later
"""espm's SmoothNMF, with the model of EDX spectra as its G matrix, and plain.

Settings are those of espm's notebook `api.ipynb`: ``tol=1e-6, max_iter=200`` and no
regularisation. Lines below and above 4 keV of an element are two columns of G, as in its notebook
on core-shell particles, which halves the angles of the best fits of G to the phantoms' spectra.
Cu is an ignored element, espm's default. Detector widths and tables are its defaults for 200 keV.
"""

import numpy as np

from tests.benchmarks.rivals.adapters.signals import eds_signal
from tests.benchmarks.rivals.exchange import Given, Returned

TUTORIAL = {"tol": 1e-6, "max_iter": 200, "hspy_comp": True, "verbose": 0, "random_state": 0}
# espm needs a thickness and a density, for absorption; where unknown, those of a thin film.
THICKNESS, DENSITY = 50.0, 5.0  # nm, g/cm³
SPLIT = 4.0  # keV, between lines of an element whose ratio is not to be that of the tables


def espm_guided(given: Given):
    """Spectra of X-ray lines of each element and of bremsstrahlung."""
    if given.kind != "TEM":
        raise ValueError("espm's tables are of thin films at 100 to 300 keV")
    signal = eds_signal(given, float, "EDS_espm")
    thickness, density = (
        known if np.isfinite(known) else default
        for known, default in ((given.thickness, THICKNESS), (given.density, DENSITY))
    )
    elements = [element for element in given.elements if element != "Cu"]
    signal.set_elements(elements)
    signal.set_analysis_parameters(
        thickness=1e-7 * thickness,
        density=density,
        detector_type="SDD_efficiency.txt",
        width_slope=0.01,
        width_intercept=0.065,
        xray_db="200keV_xrays.json",
    )
    axis = signal.axes_manager.signal_axes[0].axis
    signal.build_G(
        ignored_elements=["Cu"] if "Cu" in given.elements else [],
        elements_dict={e: SPLIT for e in elements if _is_split(e, axis[0], axis[-1])},
    )
    return _unmixing(signal, given.n_phases, G=signal.model)


def _is_split(element, low, high):
    """Return whether an element has main lines on the axis on both sides of 4 keV."""
    from exspy.material import elements

    lines = elements[element].Atomic_properties.Xray_lines
    energies = [lines[name].energy_keV for name in ("Ka", "La", "Ma") if name in lines]
    return any(low < e < SPLIT for e in energies) and any(SPLIT < e < high for e in energies)


def espm_plain(given: Given):
    """Free spectra, G being the identity."""
    return _unmixing(eds_signal(given, float), given.n_phases, G=None, simplex_W=False)


def _unmixing(signal, n_phases, **settings):
    from espm.estimators import SmoothNMF

    estimator = SmoothNMF(n_components=n_phases, **TUTORIAL, **settings)

    def unmix():
        signal.decomposition(normalize_poissonian_noise=False, navigation_mask=None,
                             algorithm=estimator, print_info=False)  # fmt: skip
        results = signal.learning_results
        return Returned(loadings=results.loadings, factors=results.factors)

    return unmix
