# SPDX-License-Identifier: GPL-3.0-or-later
"""Projected Newton for a fixed basis: one row, all rows, and one step for many pixels."""
