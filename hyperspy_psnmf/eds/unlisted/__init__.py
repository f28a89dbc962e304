# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements and peaks that are in the spectra, though nobody listed them."""
