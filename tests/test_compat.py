# SPDX-License-Identifier: GPL-3.0-or-later
"""What other packages have not promised, but we use, is in the installed versions.

A version of theirs that fails here needs a change in `_compat` only.
"""

import re
from pathlib import Path

import dask
import dask.array as da
import distributed
import exspy.signals
import hyperspy.api
import numba
import numpy as np
import pytest
import tqdm
from exspy.material import elements
from hyperspy.signals import BaseSignal

from hyperspy_psnmf import _compat

SHAPE = (2, 3, 5)  # y, x, energy
CLASSES = [exspy.signals.EDSTEMSpectrum, exspy.signals.EDSSEMSpectrum]


@pytest.fixture(params=CLASSES)
def signal(request):
    return request.param(np.arange(30).reshape(SHAPE))


def test_data_in_array_order__as_stored_and_transposed(signal):
    assert _compat.data_in_array_order(signal) is signal.data
    moved = signal.transpose(navigation_axes=[1, 0])
    np.testing.assert_array_equal(
        _compat.data_in_array_order(moved), signal.data.transpose(1, 0, 2)
    )


@pytest.mark.parametrize("cls", CLASSES)
def test_data_in_array_order__energy_stored_first(cls):
    data = np.arange(30).reshape(5, 2, 3)
    axes = [{"size": n, "navigate": n != 5} for n in data.shape]
    aligned = _compat.data_in_array_order(cls(data, axes=axes))
    np.testing.assert_array_equal(aligned, data.transpose(1, 2, 0))


def test_is_lazy__both(signal):
    assert not _compat.is_lazy(signal)
    assert _compat.is_lazy(signal.as_lazy())


def test_eager_class__of_both(signal):
    assert _compat.eager_class(signal) is type(signal)
    assert _compat.eager_class(signal.as_lazy()) is type(signal)


def test_with_own_metadata__data_are_the_same_and_nothing_else(signal):
    signal.learning_results.factors = np.ones((SHAPE[2], 2))
    other = _compat.with_own_metadata(signal)
    assert other.data is signal.data
    assert type(other) is type(signal)
    other.metadata.General.title = "other"
    other.learning_results.factors[:] = 0.0
    assert signal.metadata.General.title == ""
    assert (signal.learning_results.factors == 1.0).all()


def test_as_plain_dict__signal_is_made_of_it_again(signal):
    again = type(signal)(**_compat.as_plain_dict(signal))
    np.testing.assert_array_equal(again.data, signal.data)
    assert again.metadata.as_dictionary() == signal.metadata.as_dictionary()


@pytest.mark.parametrize("left", [{}, {"learning_results": {}}, {"learning_results": {"x": 1}}])
def test_saves_learning_results__not_where_the_dictionary_has_none(monkeypatch, left):
    saves = _compat.saves_learning_results.__wrapped__  # without what it remembers
    assert saves(BaseSignal)
    monkeypatch.setattr(BaseSignal, "_to_dictionary", lambda signal, **_: left)
    assert not saves(BaseSignal)


def test_learning_attributes__changes_are_those_of_the_results(signal):
    attributes = _compat.learning_attributes(signal.learning_results)
    attributes.update(factors=1, not_of_hyperspy=2)
    assert signal.learning_results.factors == 1
    assert signal.learning_results.not_of_hyperspy == 2
    del attributes["not_of_hyperspy"]
    assert not hasattr(signal.learning_results, "not_of_hyperspy")


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("Fe", True),
        ("Fe.Atomic_properties", True),
        ("Fe.Atomic_properties.Xray_lines.Ka", True),
        ("Fe.Atomic_properties.Xray_lines.Kz", False),
        ("Li.Atomic_properties.Xray_lines", False),
        ("Xx.Atomic_properties", False),
    ],
)
def test_has_entry__of_what_is_there(path, there):
    assert _compat.has_entry(elements, path) is there


def test_symbols_with_lines__neither_lithium_nor_what_is_no_element():
    symbols = _compat.symbols_with_lines(elements)
    assert {"C", "Fe", "U"} <= {*symbols}
    assert not {"Li", "Pu", "Xx"} & {*symbols}
    assert len(symbols) == len({*symbols})


def test_lines_in_table__energy_and_weight_of_each():
    lines = _compat.lines_in_table(elements, "Fe")
    assert lines["Ka"] == {"energy (keV)": pytest.approx(6.404, abs=1e-3), "weight": 1.0}
    assert _compat.lines_in_table(elements, "Li") == {}


@pytest.mark.parametrize("masked", [False, True])
def test_kind_of_chunks__masked_or_not(masked):
    data = np.ma.array(np.ones(4), mask=[1, 0, 0, 0]) if masked else np.ones(4)
    kind = _compat.kind_of_chunks(da.from_array(data, asarray=False))
    assert isinstance(kind, np.ma.MaskedArray) is masked
    assert kind.size == 0


def test_owning_client__only_of_distributed():
    assert _compat.owning_client(None) is None
    assert _compat.owning_client(dask.threaded.get) is None
    assert _compat.owning_client([].append) is None
    with distributed.Client(processes=False, n_workers=1, dashboard_address=None) as client:
        assert _compat.owning_client(dask.base.get_scheduler()) is client


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_without_reference_counts__numba_knows_the_option():
    @numba.njit(**_compat.without_reference_counts())
    def first(values):
        return values[0]

    assert first(np.array([3.0, 4.0])) == 3.0
    with pytest.raises(KeyError, match="_no_such_option"):
        numba.njit(_no_such_option=True)(lambda: 0)()


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_compilation_events__a_listener_hears_of_a_function():
    event, heard = _compat.compilation_events(numba), []

    class Listener(event.Listener):
        def on_start(self, begun):
            heard.append(begun.data["dispatcher"].py_func.__name__)

        def on_end(self, ended):
            pass

    def to_compile():
        return 1

    with event.install_listener("numba:compile", Listener()):
        numba.njit(to_compile)()
    assert heard == ["to_compile"]


@pytest.mark.parametrize("in_notebook", [False, True])
def test_progress_bar_of__as_preferred(monkeypatch, in_notebook):
    monkeypatch.setattr(hyperspy.api.preferences.General, "nb_progressbar", in_notebook)
    with _compat.progress_bar_of(hyperspy)(total=3, desc="any", disable=True) as bar:
        bar.update()
        bar.set_description_str("other", refresh=False)
        bar.set_postfix_str("any", refresh=False)
    assert isinstance(bar, tqdm.tqdm)


# What of other packages nobody has promised: private names of theirs, and modules.
NOT_PUBLIC = re.compile(
    r"\b(numba\.core|hyperspy\.(external|defaults_parser|misc)|exspy\._\w+)\b"
    r"|\b(axes_manager|signal|image|array|data)\._[a-z]\w*"
)


def test_compat__nothing_else_in_the_package_uses_what_is_not_public():
    root = Path(_compat.__file__).parent
    found = {
        path.relative_to(root).as_posix(): match.group()
        for path in root.rglob("*.py")
        if path.name not in ("_compat.py", "_activation.py")
        and (match := NOT_PUBLIC.search(path.read_text("utf-8")))
    }
    assert found == {}


def test_base_signal__has_what_is_asked_of_it():
    names = ("_data_aligned_with_axes", "_deepcopy_with_new_data", "_lazy", "_to_dictionary")
    assert [name for name in names if not hasattr(BaseSignal, name)] == []
