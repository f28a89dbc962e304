# SPDX-License-Identifier: GPL-3.0-or-later
"""The glue to HyperSpy and eXSpy: signals in, signals and learning results out.

Maps are factorised in `hyperspy_psnmf.nmf`. X-ray lines, continuum and peaks are fitted to spectra
here, by weighted least squares, and tested for significance.
"""
