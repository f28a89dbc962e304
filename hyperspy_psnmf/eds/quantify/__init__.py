# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.psnmf.quantify()``: compositions of phases and maps of elements."""
