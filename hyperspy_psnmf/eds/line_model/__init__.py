# SPDX-License-Identifier: GPL-3.0-or-later
"""X-ray lines and continuum as a detector records them: linear, and with shapes as parameters."""
