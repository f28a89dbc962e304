# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases that run by default, out of products and tables."""

import pytest

from tests.helpers.selection import group_of, is_crossed_out


@pytest.mark.parametrize(
    ("values", "left_out"),
    [((0, 0, 0), False), ((2, 0, 0), False), ((0, 0, 1), False), ((1, 1, 0), True),
     ((1, 0, 3), True), ((1, 2, 3), True)],
)  # fmt: skip
def test_crossed__one_parameter_at_a_time_leaves_its_first_value(values, left_out):
    params = dict(zip("abc", values, strict=True))
    assert is_crossed_out(params, {"a": 0, "b": 0, "c": 0}, ("a", "b", "c")) is left_out


def test_crossed__other_parameters_are_not_looked_at():
    assert not is_crossed_out({"a": 1, "b": 2}, {"a": 0, "b": 0}, ("a",))


@pytest.mark.parametrize(
    ("value", "group"), [({"tol": 1}, ("tol",)), ("tol", "tol"), (dict, "dict"), (3, "3")]
)
def test_spot_checks__counted_by_name_of_the_argument(value, group):
    assert group_of({"what": value}, ("what",)) == (group,)


@pytest.mark.crossed("a", "b")
@pytest.mark.parametrize("a", [0, 1, 2])
@pytest.mark.parametrize("b", [0, 1])
def test_crossed__marks_what_is_left_out(request, a, b):
    assert (request.node.get_closest_marker("thorough") is not None) == (a > 0 and b > 0)


@pytest.mark.thorough_cases("two", "ou")
@pytest.mark.parametrize("name", ["one", "two", "three", "four"])
def test_thorough_cases__marks_those_with_a_part_in_their_ids(request, name):
    marked = request.node.get_closest_marker("thorough") is not None
    assert marked == (name in ("two", "four"))


@pytest.mark.spot_checks("name")
@pytest.mark.parametrize(("name", "i"), [(name, i) for name in ("tol", "init") for i in range(4)])
def test_spot_checks__marks_what_is_left_out(request, name, i):
    assert (request.node.get_closest_marker("thorough") is not None) == (i >= 2)


@pytest.mark.slow
@pytest.mark.crossed("b", "a")
@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 1), (0, 1), (2, 0), (0, 2)])
def test_slow__marks_all_but_two_of_those_that_are_not_marked_before(request, a, b):
    marked = request.node.get_closest_marker("thorough") is not None
    assert marked == ((a, b) not in ((0, 0), (0, 1)))


@pytest.mark.slow("each case")
@pytest.mark.parametrize("i", range(4))
def test_slow__each_case_where_that_is_asked_for(request, i):
    assert request.node.get_closest_marker("thorough") is None
