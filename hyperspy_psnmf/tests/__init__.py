# SPDX-License-Identifier: GPL-3.0-or-later
"""The few tests that are installed with the package: ``pytest --pyargs hyperspy_psnmf``."""
