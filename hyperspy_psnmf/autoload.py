# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty on purpose: its entry point makes HyperSpy import `hyperspy_psnmf`."""
