# SPDX-License-Identifier: GPL-3.0-or-later
"""Unlisted elements and peaks: in the spectra, but not in the metadata."""
