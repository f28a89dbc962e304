# SPDX-License-Identifier: GPL-3.0-or-later
import os

import pytest

from hyperspy_psnmf.kernels import counting, threads


@pytest.fixture
def many_blocks(monkeypatch):
    """Cut small problems into many blocks, for four threads on any machine."""
    monkeypatch.setattr(threads, "ENTRIES_PER_BLOCK", 23)
    monkeypatch.setattr(counting, "PIECE_BYTES", 50)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
