# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the model fit: deviance per degree of freedom, and shifts of the energy axis."""
