# SPDX-License-Identifier: GPL-3.0-or-later
"""Choices by held-out counts: the number of components, the binning."""
