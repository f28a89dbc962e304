# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of a stock ``decomposition`` call, converted to those of PSNMF."""

import inspect
import warnings

from hyperspy_psnmf.nmf.validation import check_int

# Keywords of HyperSpy's and eXSpy's own decomposition that mean nothing here.
STOCK_ONLY = frozenset(
    {
        "auto_transpose",
        "centre",
        "closing",
        "copy",
        "get",
        "normalize_poissonian_noise",
        "num_chunks",
        "reproject",
        "svd_solver",
        "var_array",
        "var_func",
    }
)


def bind_arguments(function, original, args, kwargs) -> dict:
    """Return the keyword arguments for `function` from a call of `original`.

    Parameters
    ----------
    function : callable
        Takes the signal, then keyword-only arguments.
    original : callable
        The wrapped function, against whose signature positions are bound.
    args, kwargs
        What the caller passed.

    Raises
    ------
    TypeError
        For a keyword that neither has.

    Warns
    -----
    UserWarning
        Once, naming the keywords that the caller passed and that mean nothing here.
    """
    bound = inspect.signature(original).bind(None, *args, **kwargs)
    if bound.arguments.get("args"):
        raise TypeError("decomposition() takes the arguments of PSNMF by keyword")
    passed = {**bound.arguments, **bound.arguments.get("kwargs", {})}
    for name in ("self", "args", "kwargs"):
        passed.pop(name, None)
    known = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    unknown = sorted(passed.keys() - STOCK_ONLY - set(known))
    if unknown:
        raise TypeError(
            f"decomposition(algorithm='PSNMF') got an unexpected keyword argument "
            f"{', '.join(map(repr, unknown))}; its keywords are {', '.join(known)}"
        )
    ignored = sorted(passed.keys() & STOCK_ONLY)
    if ignored:
        warnings.warn(
            f"algorithm='PSNMF' ignores {', '.join(ignored)}: it takes the counts as they are",
            UserWarning,
            stacklevel=4,
        )
    return {name: value for name, value in passed.items() if name in known}


def count_channels(signal, keep_channels) -> int:
    """Return the number of channels in use."""
    return signal.axes_manager.signal_size if keep_channels is None else int(keep_channels.sum())


def check_for_auto(init, absent) -> None:
    """Raise ValueError where arguments need a number of phases, which is to be found."""
    if not isinstance(init, str):
        raise ValueError("init has a number of spectra: give it as output_dimension, not 'auto'")
    if absent is not None:
        raise ValueError(
            "absent names phases of a result: give their number as output_dimension, not 'auto'"
        )


def check_output_dimension(signal, algorithm, output_dimension, keep_pixels, keep_channels):
    """Return the number of phases, or None for "auto"."""
    if output_dimension is None and not isinstance(algorithm, str):
        output_dimension = algorithm.n_components
    if output_dimension is None:
        raise ValueError("output_dimension, the number of phases, must be given")
    if isinstance(output_dimension, str) and output_dimension == "auto":
        if not isinstance(algorithm, str):
            raise ValueError(
                "output_dimension='auto' needs algorithm='PSNMF': an estimator has its n_components"
            )
        return None
    k = check_int("output_dimension", output_dimension)
    if not isinstance(algorithm, str) and k != algorithm.n_components:
        raise ValueError(
            f"output_dimension={k} is not the estimator's n_components={algorithm.n_components}"
        )
    n_pixels = signal.axes_manager.navigation_size if keep_pixels is None else keep_pixels.sum()
    n_channels = count_channels(signal, keep_channels)
    if k > min(n_pixels, n_channels):
        of = "" if isinstance(algorithm, str) else ", the n_components of the estimator,"
        raise ValueError(
            f"output_dimension={k}{of} is too large: the map has {n_pixels} pixels and "
            f"{n_channels} channels in use"
        )
    return k
