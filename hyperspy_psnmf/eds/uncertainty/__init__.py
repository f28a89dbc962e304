# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard errors of a decomposed map, and factorisations of equal likelihood."""
