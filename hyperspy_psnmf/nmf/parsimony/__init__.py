# SPDX-License-Identifier: GPL-3.0-or-later
"""The simplest among factorisations that fit alike: phases merged, subtracted, lines excluded."""
