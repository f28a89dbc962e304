# SPDX-License-Identifier: GPL-3.0-or-later
"""``s.decomposition(algorithm="PSNMF")``: arguments, the decomposition, its record and report."""
