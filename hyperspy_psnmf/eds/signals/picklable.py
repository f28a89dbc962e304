# SPDX-License-Identifier: GPL-3.0-or-later
"""Results with signals as fields that can be pickled and copied.

HyperSpy's signals cannot be pickled; their dictionaries, from which they are made again, can.
"""

from dataclasses import dataclass, is_dataclass

from hyperspy.signals import BaseSignal

from hyperspy_psnmf._compat import as_plain_dict


@dataclass(frozen=True, eq=False)
class PackedSignal:
    """A signal's class, and what that makes it from."""

    cls: type
    dictionary: dict


class Picklable:
    """A dataclass whose signals, also those in dataclasses in its fields, are packed."""

    def __getstate__(self):
        """Return the fields, with dictionaries in place of signals."""
        return {name: _pack(value) for name, value in vars(self).items()}

    def __setstate__(self, state):
        """Make the signals again."""
        self.__dict__.update({name: _unpack(value) for name, value in state.items()})


def _pack(value):
    if isinstance(value, BaseSignal):
        return PackedSignal(type(value), as_plain_dict(value))
    return _in_fields(_pack, value)


def _unpack(value):
    if isinstance(value, PackedSignal):
        return value.cls(**value.dictionary)
    return _in_fields(_unpack, value)


def _in_fields(function, value):
    # A Picklable field packs its own signals.
    if not is_dataclass(value) or isinstance(value, type | Picklable):
        return value
    twin = object.__new__(type(value))
    twin.__dict__.update({name: function(part) for name, part in vars(value).items()})
    return twin
