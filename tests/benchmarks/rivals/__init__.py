# SPDX-License-Identifier: GPL-3.0-or-later
"""PSNMF beside other ways to analyse the same counts: ``python -m tests.benchmarks.rivals``."""
