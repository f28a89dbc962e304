# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels as plain Python. What is inlined into kernels cannot be called in any other way."""

from types import FunctionType


def plain(function):
    """Return the Python function that a kernel is compiled from; what it calls is plain too."""
    source = getattr(function, "py_func", function)
    named = {name: source.__globals__.get(name) for name in source.__code__.co_names}
    called = {name: plain(each) for name, each in named.items() if hasattr(each, "py_func")}
    return FunctionType(source.__code__, source.__globals__ | called)
