# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests, folder by folder as the package."""

import os

# Before NumPy is imported. The matrices of a fit are small: where several processes share the
# cores, BLAS threads that wait for each other take two thirds of its time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
