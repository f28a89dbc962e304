# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of `kernels.newton.rows`; one row at a time runs as plain Python."""
