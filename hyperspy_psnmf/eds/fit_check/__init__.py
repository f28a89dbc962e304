# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the model fits the map: residuals, drift of the energy axis, sum peaks."""
