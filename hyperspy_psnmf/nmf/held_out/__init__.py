# SPDX-License-Identifier: GPL-3.0-or-later
"""Models compared by the counts held out from them."""
