# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts as a CSR matrix: checked, in memory, in blocks or on disk."""
