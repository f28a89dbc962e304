# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tool has to say. Its actions raise nothing: views have nowhere to catch it."""

import functools
import logging
import warnings

from exspy.signals import EDSSpectrum
from traits.api import Any, Bool, ComparisonMode, HasTraits, Instance, Str

_logger = logging.getLogger(__name__)

# What arguments and files can be guilty of; their messages are written for users.
_PLAIN = (OSError, TypeError, ValueError, RuntimeError, ImportError)

# For signals and arrays: they have no truth value to tell a change by.
Identified = Any(comparison_mode=ComparisonMode.identity)
Map = Instance(EDSSpectrum, comparison_mode=ComparisonMode.identity)


class WithMessage(HasTraits):
    """Holds the last message.

    Attributes
    ----------
    message : str
        For the user; empty where all is well and there is nothing to tell.
    is_problem : bool
        Whether the message tells of something that did not work.
    """

    message = Str()
    is_problem = Bool(False)

    def tell(self, message: str) -> None:
        """Show a message that is no problem."""
        self.trait_set(is_problem=False, message=message)

    def complain(self, error: Exception) -> None:
        """Show what went wrong."""
        # For the log of whoever looks for the cause; users see the message.
        _logger.info("%s", error, exc_info=error)
        name = type(error).__name__
        plain = isinstance(error, _PLAIN) and str(error)
        self.trait_set(is_problem=True, message=str(error) if plain else f"{name}: {error}")


def action(method):
    """Turn what a method raises or warns of into a message of its object."""

    @functools.wraps(method)
    def act(self, *args, **kwargs):
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", UserWarning)
                self.tell("")
                result = method(self, *args, **kwargs)
        except Exception as error:  # anything: the tool must stay usable
            self.complain(error)
            return None
        if caught:
            self.tell(" ".join([self.message, *(f"Note: {w.message}." for w in caught)]).strip())
        return result

    return act
