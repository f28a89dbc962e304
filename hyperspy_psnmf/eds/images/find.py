# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a map's area in files."""

from hyperspy_psnmf.eds.files.load import open_images
from hyperspy_psnmf.eds.images.on_map import images_on_map

WITH_THE_MAP = "auto"


def find_images(name: str, wanted: str | None, signal, beside) -> list | None:
    """Return the images of a map's area, or None where none are wanted.

    Parameters
    ----------
    name : str
        What to call the argument in an error.
    wanted : str or None
        The name of a file, or "auto" for the images that came with the map.
    signal : EDSSpectrum
        The map.
    beside : sequence of BaseSignal
        These images.

    Raises
    ------
    ValueError
        If the file cannot be read, or there is none of the map's area.
    """
    if not wanted:
        return None
    images = beside if wanted == WITH_THE_MAP else open_images(wanted)
    found = [image for image in images if _covers(image, signal)]
    if not found:
        raise ValueError(f"{name} {wanted}: there is no image of the map's area")
    return found


def _covers(image, signal):
    try:
        images_on_map("image", image, signal)
    except (TypeError, ValueError):
        return False
    return True
