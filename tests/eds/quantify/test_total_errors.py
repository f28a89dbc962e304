# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard errors that include those of unmixing."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_psnmf import data
from hyperspy_psnmf.eds.signals.progress import listening

FACTORS = {"Fe_Ka": 1.45, "Pt_La": 5.08, "O_Ka": 2.0}
OTHERS = ("C", "Cu")


@pytest.fixture(scope="module")
def unmixed():
    """Core-shell particles, decomposed."""
    s = data.core_shell_particles(shape=(40, 36), n_channels=1200, counts=150, seed=1)
    s.decomposition(algorithm="PSNMF", output_dimension=3, print_info=False, show_progressbar=False)
    return s


@pytest.fixture(scope="module")
def total(unmixed):
    return unmixed.psnmf.quantify(factors=FACTORS, exclude=OTHERS)


@pytest.fixture(scope="module")
def counting(unmixed):
    return unmixed.psnmf.quantify(factors=FACTORS, exclude=OTHERS, errors="counting")


def test_quantify__unmixing_adds_to_the_errors_and_changes_no_composition(total, counting):
    np.testing.assert_array_equal(total.atomic.values, counting.atomic.values)
    np.testing.assert_array_equal(np.isnan(total.atomic.sigma), np.isnan(counting.atomic.sigma))
    for found in (total, counting):
        parts = sum(part**2 for part in found.atomic.budget.values())
        np.testing.assert_allclose(found.atomic.sigma**2, parts, rtol=1e-6)
    assert np.nanmin(total.atomic.sigma - counting.atomic.sigma) >= 0
    assert np.nanmean(total.atomic.budget["unmixing"]) > 0.1
    assert (np.nan_to_num(total.atomic.limits) >= np.nan_to_num(counting.atomic.limits)).all()


def test_quantify__tables_say_which_errors_they_have(total, counting):
    assert "1 sigma (CL)" in total.table().title
    assert "unmixing" in total.budget().field_names
    assert "1 sigma without unmixing (CL)" in counting.table().title
    assert "should not be published alone (errors='counting')" in " ".join(counting.notes)
    assert not any("published alone" in note for note in total.notes)


@pytest.mark.slow
def test_quantify__the_same_errors_each_time(unmixed, total):
    again = unmixed.psnmf.quantify(factors=FACTORS, exclude=OTHERS)
    np.testing.assert_array_equal(again.atomic.sigma, total.atomic.sigma)


def test_quantify__intervals_end_at_nothing_and_everything(total):
    found = total.atomic
    values = np.nan_to_num(found.values)
    assert (np.nan_to_num(found.lower) >= 0).all()
    assert (np.nan_to_num(found.upper) <= 100).all()
    assert (np.nan_to_num(found.lower) <= values).all()
    row = total.rows()[0]
    assert row["at%_lower"] == found.lower[0, 0]
    assert row["wt%_upper"] == total.weight.upper[0, 0]


def test_quantify__cells_of_the_table_end_where_intervals_do(total):
    shape = total.atomic.values.shape
    found = replace(total.atomic, values=np.full(shape, 2.0), sigma=np.full(shape, 5.0))
    cut = replace(total, atomic=found, detected=np.ones(shape, dtype=bool))
    assert "2.0 (+5.0 −2.0)" in str(cut.table())
    whole = replace(cut, atomic=replace(found, sigma=np.full(shape, 1.5)))
    assert "2.0 ± 1.5" in str(whole.table())
    assert "(+" not in str(whole.table())


@pytest.mark.slow
def test_quantify__no_errors_of_spectra_that_were_given(unmixed):
    s = unmixed.deepcopy()
    s.decomposition(
        algorithm="PSNMF",
        output_dimension=3,
        fixed_spectra=unmixed.learning_results.factors.T,
        print_info=False,
        show_progressbar=False,
    )
    found = s.psnmf.quantify(factors=FACTORS, exclude=OTHERS)
    assert np.nanmax(found.atomic.budget["unmixing"]) == 0
    assert "1 sigma (CL)" in found.table().title


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*counts")
def test_quantify__parts_of_data_that_are_no_counts_cannot_be_left_out(unmixed):
    s = unmixed.deepcopy()
    s.change_dtype(float)
    s.data *= 0.7
    s.decomposition(algorithm="PSNMF", output_dimension=3, print_info=False, show_progressbar=False)
    found = s.psnmf.quantify(factors=FACTORS, exclude=OTHERS)
    assert "1 sigma without unmixing" in found.table().title
    assert "the data are no whole counts" in " ".join(found.notes)


def test_quantify__errors_of_another_kind_are_refused(unmixed):
    with pytest.raises(ValueError, match="errors must be one of 'total', 'counting'"):
        unmixed.psnmf.quantify(factors=FACTORS, exclude=OTHERS, errors="all")


@pytest.mark.slow
@pytest.mark.parametrize(("errors", "n_steps"), [("total", 11), ("counting", 2)])
def test_quantify__progress_has_every_fit_and_ends_full(unmixed, capsys, errors, n_steps):
    options = {"factors": FACTORS, "exclude": OTHERS, "errors": errors}
    unmixed.psnmf.quantify(**options, show_progressbar=False)
    assert "Quantification" not in "".join(capsys.readouterr())
    steps = []
    with listening(lambda step, *_: steps.append(step)):
        unmixed.psnmf.quantify(**options, show_progressbar=True)
    shown = "".join(capsys.readouterr())
    assert f"{n_steps}/{n_steps}" in shown
    assert len(steps) == n_steps
    assert (steps[0], steps[-1]) == ("fit of lines", "other elements")


@pytest.mark.slow
def test_quantify__what_a_listener_raises_ends_it(unmixed):
    def cancel(step, *_):
        if step == "without a fold":
            raise KeyboardInterrupt

    with listening(cancel), pytest.raises(KeyboardInterrupt):
        unmixed.psnmf.quantify(factors=FACTORS, exclude=OTHERS)
