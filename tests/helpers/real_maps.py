# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the real maps are: in ``$PSNMF_TEST_DATA``, else in ``shared/data`` beside the project.

They are not part of it, so what needs them is skipped, with a reason, where there are none.
"""

import os
from pathlib import Path

import hyperspy.api as hs
import pytest

DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FOLDER = Path(os.environ.get("PSNMF_TEST_DATA") or DEFAULT)


def needs_maps(*names):
    """Return a mark that skips where a map is missing."""
    return pytest.mark.skipif(
        not all((FOLDER / name).is_file() for name in names),
        reason=f"no real maps in {FOLDER}; set PSNMF_TEST_DATA to a folder with {', '.join(names)}",
    )


def load(name):
    """Return a map; Bruker files hold a list, the map last."""
    loaded = hs.load(FOLDER / name)
    return loaded[-1] if isinstance(loaded, list) else loaded
