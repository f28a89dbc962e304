# SPDX-License-Identifier: GPL-3.0-or-later
"""Axes, metadata and learning results of an EDS signal; signals made from them."""
