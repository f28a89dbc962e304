# SPDX-License-Identifier: GPL-3.0-or-later
"""Stoichiometric formulas that a composition is compatible with."""
