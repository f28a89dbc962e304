# SPDX-License-Identifier: GPL-3.0-or-later
"""The view of the widget in a window of its own, with Qt."""
