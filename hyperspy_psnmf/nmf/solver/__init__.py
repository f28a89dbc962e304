# SPDX-License-Identifier: GPL-3.0-or-later
"""Poisson NMF of one matrix: start, alternate to convergence, volume term, Fisher information."""
