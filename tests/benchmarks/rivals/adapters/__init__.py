# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the public interfaces of the methods that are compared.

An adapter takes a `Given` map, prepares what its users have anyway (a signal with its metadata)
and returns a function without arguments, which is timed and returns what was found.
"""
