# SPDX-License-Identifier: GPL-3.0-or-later
"""X-ray lines, bremsstrahlung and absorption, and the response of a detector, simulated."""
