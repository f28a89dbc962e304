# SPDX-License-Identifier: GPL-3.0-or-later
"""Where numbers end: they keep quotients finite, and any of their size would do."""

TINY = 1e-300  # added to what may be zero in a denominator, as the model of a channel
UNEXPLAINED = 1e280  # counts over a model that is TINY
