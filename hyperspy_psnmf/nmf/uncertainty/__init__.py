# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard errors, upper limits, and the range of factorisations as likely as the one found."""
