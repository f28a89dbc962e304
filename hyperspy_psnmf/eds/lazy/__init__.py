# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of a signal, eager or lazy: read once, kept in memory, on disk or on workers."""
