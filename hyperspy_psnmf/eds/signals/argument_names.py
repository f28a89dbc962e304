# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of arguments in messages, as the user wrote them."""

import re
from contextlib import contextmanager


@contextmanager
def named(**names):
    """Replace the names of keywords in errors by the caller's: ``named(n_components="k")``."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message = str(error)
        for inner, outer in names.items():
            message = re.sub(rf"\b{inner}=", f"{outer}=", message)
        if message == str(error):
            raise
        raise type(error)(message) from None
