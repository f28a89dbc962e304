# SPDX-License-Identifier: GPL-3.0-or-later
"""The four steps of PSNMF: bin, factorise, factorise at full resolution, smooth."""
