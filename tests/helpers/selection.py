# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cases of a test run by default; the others are marked `thorough` and run nightly.

``@pytest.mark.crossed("phantom", "offset")`` keeps all values of each parameter together with the
first of the others, out of the whole product. ``@pytest.mark.spot_checks("name")`` keeps the first
two cases of each value of a parameter, for tables of values that another test tries one by one at
another entry to the same check; without a parameter, the first two of the test.
``@pytest.mark.thorough_cases("part of an id")`` leaves out the cases with that in their ids.
Of a test marked `slow`, the first two cases are left, but for ``@pytest.mark.slow("each case")``.
"""

from collections import Counter

import pytest

N_SPOT_CHECKS = 2  # also of slow tests


def is_crossed_out(params, first, names):
    """Return whether more than one of the parameters has another value than its first."""
    return sum(params[name] is not first[name] for name in names) > 1


def group_of(params, names):
    """Return what is counted together: values of parameters, of keywords only their names."""
    values = [params[name] for name in names]
    return tuple(
        tuple(v) if isinstance(v, dict) else getattr(v, "__name__", str(v)) for v in values
    )


@pytest.hookimpl(tryfirst=True)  # before cases are selected by their marks
def pytest_collection_modifyitems(items):
    """Mark as `thorough` what the marks above leave out."""
    seen, firsts = Counter(), {}
    for item in items:
        if not hasattr(item, "callspec"):
            continue
        params, test = item.callspec.params, (item.path, item.originalname)
        crossed = item.get_closest_marker("crossed")
        if crossed and is_crossed_out(params, firsts.setdefault(test, params), crossed.args):
            item.add_marker("thorough")
        parts = item.get_closest_marker("thorough_cases")
        if parts and any(part in item.callspec.id for part in parts.args):
            item.add_marker("thorough")
        spots = item.get_closest_marker("spot_checks")
        if spots:
            group = *test, group_of(params, spots.args)
            seen[group] += 1
            if seen[group] > N_SPOT_CHECKS:
                item.add_marker("thorough")
        slow = item.get_closest_marker("slow")
        if slow and not slow.args and not item.get_closest_marker("thorough"):
            seen[test] += 1
            if seen[test] > N_SPOT_CHECKS:
                item.add_marker("thorough")
