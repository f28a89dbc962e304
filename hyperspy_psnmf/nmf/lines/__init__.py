# SPDX-License-Identifier: GPL-3.0-or-later
"""Spectra made of templates: X-ray lines, and the continuum below them."""
