# SPDX-License-Identifier: GPL-3.0-or-later
"""Projected Newton for a fixed basis: one row, and all rows."""
