# SPDX-License-Identifier: GPL-3.0-or-later
"""The version, read by the build without importing the package."""

__version__ = "0.1.0.dev0"
