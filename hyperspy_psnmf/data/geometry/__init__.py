# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the phases of a phantom are: grains, boundaries, gradients and spheres."""
