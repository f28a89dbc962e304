# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for what the likelihood leaves open: sparsity, merged and subtracted phases, no lines."""
