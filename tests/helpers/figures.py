# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written in a figure."""

from matplotlib.text import Text


def texts_of(artist) -> list[str]:
    """Return all texts of a figure or of axes, hidden ones too."""
    return [text.get_text() for text in artist.findobj(Text)]
