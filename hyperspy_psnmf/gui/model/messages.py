# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of a tool. Its actions raise nothing: views could not catch it."""

import functools
import logging
import threading
import warnings

from exspy.signals import EDSSpectrum
from traits.api import Any, Bool, ComparisonMode, HasTraits, Instance, Str

_logger = logging.getLogger(__name__)

# Errors of arguments and files; their messages are written for users.
_PLAIN = (OSError, TypeError, ValueError, RuntimeError, ImportError)

# Filters of warnings are of the process, and a notebook's kernel acts in several threads (see
# `OwnThread`). Actions that overlap would restore each other's filters, and "ignore" would stay for
# all of the session, so that one waits for the other. No action waits for another thread, and runs
# take no part: they warn in their record only. One action may call another.
_one_action = threading.RLock()

# For signals and arrays, which cannot be compared by value.
Identified = Any(comparison_mode=ComparisonMode.identity)
Map = Instance(EDSSpectrum, comparison_mode=ComparisonMode.identity)


class WithMessage(HasTraits):
    """Has a message for the user.

    Attributes
    ----------
    message : str
        For the user; may be empty.
    is_problem : bool
        Whether the message is about an error.
    """

    message = Str()
    is_problem = Bool(False)

    def show_message(self, message: str) -> None:
        """Show a message that is not about an error."""
        self.trait_set(is_problem=False, message=message)

    def show_error(self, error: Exception) -> None:
        """Show the message of an error."""
        # The log has the traceback; users see the message.
        _logger.info("%s", error, exc_info=error)
        name = type(error).__name__
        plain = isinstance(error, _PLAIN) and str(error)
        self.trait_set(is_problem=True, message=str(error) if plain else f"{name}: {error}")


def action(method):
    """Convert exceptions and warnings of a method to a message of its object."""

    @functools.wraps(method)
    def act(self, *args, **kwargs):
        try:
            with _one_action, warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", UserWarning)
                self.show_message("")
                result = method(self, *args, **kwargs)
        except Exception as error:  # anything: the tool must stay usable
            self.show_error(error)
            return None
        if caught:
            notes = (f"Note: {w.message}." for w in caught)
            self.show_message(" ".join([self.message, *notes]).strip())
        return result

    return act
