# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of a decomposition over the size of the map."""
