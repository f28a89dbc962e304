# SPDX-License-Identifier: GPL-3.0-or-later
"""Net intensities of X-ray lines in the spectra of phases, and the energy calibration."""
