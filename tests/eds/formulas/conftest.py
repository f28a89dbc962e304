# SPDX-License-Identifier: GPL-3.0-or-later
"""Three minerals, unmixed perfectly, and their compositions."""

from tests.eds.quantify.conftest import factors, pristine, result  # noqa: F401, used by pytest
