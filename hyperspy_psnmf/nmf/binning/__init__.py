# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums of neighbouring pixels and channels, and subsets of a map: some bins, some tiles."""
