# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests, folder by folder as the package."""
