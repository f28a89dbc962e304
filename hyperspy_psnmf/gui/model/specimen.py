# SPDX-License-Identifier: GPL-3.0-or-later
"""Thickness and density of the specimen as texts; empty ones are not known."""

from numbers import Real

from hyperspy_psnmf.eds.quantify.options import AUTO

UNITS = {"thickness": "nm", "density": "g/cm³"}


def text_of_metadata(signal, name: str) -> str:
    """Return the text for "thickness" or "density" in the metadata; see `read_specimen`."""
    found = None if signal is None else signal.metadata.get_item(f"Sample.{name}")
    if isinstance(found, Real):
        return f"{found:.6g}" if found > 0 else ""  # files have 0 for what is not known
    return "" if found is None else str(found)  # reported when it is used


def read_specimen(**texts: str) -> dict:
    """Return keywords of `Options` from texts by name.

    Absorption is corrected for where all are known. A text that was emptied is not replaced by
    the metadata.

    Raises
    ------
    ValueError
        Naming the text that is no number.
    """
    found = {name: _read(name, text.strip()) for name, text in texts.items()}
    return {"absorption_correction": AUTO if None not in found.values() else False, **found}


def _read(name, text):
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"{name}: a number in {UNITS[name]}, or nothing if it is not known, not {text!r}"
        ) from None
