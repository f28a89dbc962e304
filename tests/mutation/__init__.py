# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation check: whether a test notices that one operator or constant has changed."""
