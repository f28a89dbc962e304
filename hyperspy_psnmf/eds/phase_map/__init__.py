# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase that each pixel is labelled with, and fractions of phases."""
