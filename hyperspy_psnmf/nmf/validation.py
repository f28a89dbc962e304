# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of arguments; every error names the argument."""

import re
from collections.abc import Callable
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np

# Called with the name of a step, the iteration (0 where it begins) and the KKT residual, or with a
# candidate, the fold and its held-out deviance. What it raises ends the run.
Callback = Callable[[str, int, float], None]


def check_int(name: str, value, minimum: int = 1) -> int:
    """Return `value` as an int, or raise naming the argument."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, not {value}")
    return int(value)


def check_choice(name: str, value, choices: tuple[str, ...]) -> None:
    """Raise ValueError naming the argument unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def check_weight(name: str, value, words: tuple[str, ...] = ()) -> None:
    """Raise naming the argument unless it is a weight, or one of `words`."""
    if isinstance(value, str) and value in words:
        return
    if isinstance(value, bool | np.bool_ | str) or not isinstance(value, Real):
        choices = " or ".join([*map(repr, words), "a number"])
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} must be {choices}, not {value!r}")
    if not 0 <= value < np.inf:
        raise ValueError(f"{name} must be finite and not negative, not {value}")


def volume_weight(parsimony, volume) -> float | None:
    """Return the weight of the volume term, or None where parsimony selects instead.

    Parameters
    ----------
    parsimony : bool or None
        None is True unless a volume is given.
    volume : float or None
        None is no volume term.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, or both where they exclude each other.
    """
    if parsimony is not None and not isinstance(parsimony, bool | np.bool_):
        raise TypeError(f"parsimony must be True, False or None, not {parsimony!r}")
    if volume is None:
        return None if parsimony is None or parsimony else 0.0
    check_weight("volume", volume)
    if parsimony:
        raise ValueError(f"parsimony=True and volume={volume} exclude each other: leave one out")
    return float(volume)


def smoothing_weight(smoothing, name: str = "smoothing") -> float:
    """Return the weight of neighbouring pixels, 1 for True, or raise naming the argument."""
    if isinstance(smoothing, bool | np.bool_):
        return float(smoothing)
    if isinstance(smoothing, str) or not isinstance(smoothing, Real):
        error = ValueError if isinstance(smoothing, str) else TypeError
        raise error(f"{name} must be True, False or a number, not {smoothing!r}")
    check_weight(name, smoothing)
    return float(smoothing)


def check_confidence(confidence, lowest: float = 0.0) -> None:
    """Raise naming the argument unless it is a number between `lowest` and 1."""
    if isinstance(confidence, bool | np.bool_) or not isinstance(confidence, Real):
        raise TypeError(f"confidence must be a number, not {confidence!r}")
    if not lowest < confidence < 1:
        raise ValueError(f"confidence must lie between {lowest:g} and 1, not {confidence}")


def check_scale(name: str, value) -> float:
    """Return `value` as a float, 1 for None, or raise naming the argument unless above 0."""
    if value is None:
        return 1.0
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number or None, not {value!r}")
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be finite and above 0, not {value}")
    return float(value)


def check_callback(callback) -> None:
    """Raise TypeError naming the argument unless it is None or can be called."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function or None, not {callback!r}")


def as_array(name: str, values) -> np.ndarray:
    """Return `values` as an array, or raise TypeError naming the argument where rows differ."""
    try:
        return np.asarray(values)
    except ValueError:
        raise TypeError(f"{name} must be an array: its rows are not of one length") from None


def as_floats(name: str, values) -> np.ndarray:
    """Return a copy of `values` as floats, or raise TypeError naming the argument."""
    try:
        values = np.asarray(values)
        # Numpy would drop an imaginary part with no more than a warning, and open a record.
        return values.astype(float, casting="same_kind" if values.dtype.kind in "cV" else "unsafe")
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of real numbers") from None


def check_spectra(name: str, spectra, n_channels: int) -> np.ndarray:
    """Return spectra (n, n_channels) as floats, or raise naming the argument."""
    H = as_floats(name, spectra)
    if H.ndim != 2 or H.shape[1] != n_channels or not len(H):
        raise ValueError(f"{name} must have shape (n, {n_channels}), not {H.shape}")
    if not (np.isfinite(H).all() and (H >= 0).all()):
        raise ValueError(f"{name} must be finite and not negative")
    if not (H.sum(axis=1) > 0).all():
        raise ValueError(f"{name} must not have a spectrum that is zero everywhere")
    return H


def random_generator(random_state) -> np.random.Generator:
    """Return a generator from a seed, a generator, a RandomState or None."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31)
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        raise ValueError(f"random_state cannot be used as a seed: {random_state!r}") from None


def check_random_state(random_state) -> None:
    """Raise ValueError naming the argument unless a generator can be made of it.

    Nothing is drawn, so that a RandomState is left as it was.
    """
    if not isinstance(random_state, np.random.RandomState):
        random_generator(random_state)


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
