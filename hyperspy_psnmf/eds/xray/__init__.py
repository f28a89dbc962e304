# SPDX-License-Identifier: GPL-3.0-or-later
"""eXSpy's tables of elements and X-ray lines, and the detector."""
