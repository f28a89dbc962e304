# SPDX-License-Identifier: GPL-3.0-or-later
"""How many seeds: ten, or as many as ``PSNMF_SEEDS`` says, for a quicker look."""

import os

N_SEEDS = int(os.environ.get("PSNMF_SEEDS", "10"))
FEW = N_SEEDS < 3  # as for every change; others are for every night
