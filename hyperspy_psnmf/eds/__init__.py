# SPDX-License-Identifier: GPL-3.0-or-later
"""The glue to HyperSpy and eXSpy: signals in, signals and learning results out.

No arithmetic on counts happens here; see `hyperspy_psnmf.nmf` for that.
"""
