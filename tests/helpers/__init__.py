# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of several rooms share: maps, problems, slow references, sessions."""
