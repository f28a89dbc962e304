# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF itself: bin, factorise, factorise at full resolution, smooth."""
