# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from files, and results to files."""
