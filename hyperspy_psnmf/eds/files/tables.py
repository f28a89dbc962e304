# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of results as data frames."""

from importlib import import_module


def data_frame(rows: list[dict]):
    """Return rows as a pandas DataFrame.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        pandas = import_module("pandas")  # no dependency of this package
    except ImportError:
        raise ImportError(
            "to_dataframe() needs pandas, which is not installed: pip install pandas; "
            "rows() gives the same as a list of dicts"
        ) from None
    return pandas.DataFrame(rows)
