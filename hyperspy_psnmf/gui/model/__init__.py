# SPDX-License-Identifier: GPL-3.0-or-later
"""The widget without a view: settings, the run in the background, results and messages."""
