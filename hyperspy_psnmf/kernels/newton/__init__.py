# SPDX-License-Identifier: GPL-3.0-or-later
"""Projected Newton with the basis held: one row, all rows, and one step for many pixels."""
