# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the mapped area, on the pixels of a map."""
