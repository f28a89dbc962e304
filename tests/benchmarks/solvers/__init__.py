# SPDX-License-Identifier: GPL-3.0-or-later
"""Solvers of Poisson NMF, from one start on one objective."""
