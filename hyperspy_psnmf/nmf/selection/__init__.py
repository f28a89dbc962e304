# SPDX-License-Identifier: GPL-3.0-or-later
"""Model selection by held-out deviance: the number of components, the binning."""
