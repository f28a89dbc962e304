# SPDX-License-Identifier: GPL-3.0-or-later
"""Goodness of fit: deviance per degree of freedom, shifts of the energy axis, hot voxels."""
