# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of a stock ``decomposition`` call, converted to those of PSNMF."""

import inspect
import warnings

from hyperspy_psnmf.eds.deprecated import translate_keywords

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
        Takes keyword-only arguments.
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
    VisibleDeprecationWarning
        For each keyword with a name or a value of earlier versions, which is translated.
    """
    bound = inspect.signature(original).bind(None, *args, **kwargs)
    if bound.arguments.get("args"):
        raise TypeError("decomposition() takes the arguments of PSNMF by keyword")
    passed = {**bound.arguments, **bound.arguments.get("kwargs", {})}
    for name in ("self", "args", "kwargs"):
        passed.pop(name, None)
    passed = translate_keywords(passed, stacklevel=4)
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
