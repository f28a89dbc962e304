# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures leave the signal alone; more of them in tests/trust."""

import warnings

import pytest

from tests.helpers.maps import CALL


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hyperspy_psnmf.eds.lazy.open_counts.read_counts", MemoryError),
        ("hyperspy_psnmf.estimators.PSNMF.fit_transform", KeyboardInterrupt),
        ("hyperspy_psnmf.eds.decompose.decompose.make_record", RuntimeError),
    ],
)
def test_decomposition__failure_anywhere_leaves_earlier_results(
    unmixed_copy, state, monkeypatch, name, error
):
    def fail(*args, **kwargs):
        raise error

    before = state(unmixed_copy)
    monkeypatch.setattr(name, fail)
    with pytest.raises(error):
        unmixed_copy.decomposition(**{**CALL, "output_dimension": 2})
    assert state(unmixed_copy) == before


def test_decomposition__interrupt_in_middle_leaves_earlier_results(
    unmixed_copy, state, monkeypatch
):
    class Bar:
        def __init__(self, *args, **kwargs): ...
        def __enter__(self):
            return self

        def __exit__(self, *exception): ...
        def set_description_str(self, *args, **kwargs): ...
        def set_postfix_str(self, *args, **kwargs): ...
        def update(self):
            raise KeyboardInterrupt

    before = state(unmixed_copy)
    monkeypatch.setattr("hyperspy_psnmf.eds.signals.progress.progressbar", Bar)
    with pytest.raises(KeyboardInterrupt):
        unmixed_copy.decomposition(**{**CALL, "output_dimension": 2, "show_progressbar": True})
    assert state(unmixed_copy) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [({"max_iter": 1}, "did not converge"), ({"binning": 1}, "counts per bin")],
)
def test_decomposition__warnings_turned_into_errors_leave_earlier_results(
    unmixed_copy, state, options, message
):
    before = state(unmixed_copy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=message):
            unmixed_copy.decomposition(**CALL, **options)
    assert state(unmixed_copy) == before
