# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners follow a run and can end it; the signal stays as it was."""

import threading
import warnings

import pytest

from hyperspy_psnmf.eds.decompose import decompose as module
from hyperspy_psnmf.eds.signals import progress
from hyperspy_psnmf.eds.signals.progress import has_listener, listening, with_listener
from hyperspy_psnmf.kernels import _compile
from tests.helpers.maps import FREE

needs_numba = pytest.mark.skipif(
    "not hasattr(_compile._do_nothing, 'stats')", reason="Numba is switched off"
)
OF_LINES = ("fit of lines", "channels")


class EnoughError(Exception):
    pass


def stop_at(step):
    def listen(current, iteration, residual):
        if current == step:
            raise EnoughError(step)

    return listen


@pytest.mark.parametrize("show", [False, True])
def test_listening__a_listener_hears_every_step_with_and_without_a_bar(grains, unmix, show, capsys):
    heard = []
    with listening(lambda *args: heard.append(args)):
        unmix(grains, show_progressbar=show, **FREE)
    steps = [step for step, _, _ in heard]
    assert {"bin", "binned map", "full resolution", "neighbours"} <= set(steps)
    assert steps.index("bin") < steps.index("binned map") < steps.index("neighbours")
    assert all(residual > 0 for _, _, residual in heard)


@pytest.mark.slow
def test_listening__the_search_for_the_number_is_heard_too(grains, unmix):
    fits = []

    def listen(step, iteration, residual):
        if step == "number of phases":
            fits.append(iteration)

    with listening(listen):
        unmix(grains, output_dimension="auto")
    assert fits == list(range(1, len(fits) + 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", [*OF_LINES, "binning", "bin", "binned map", "parsimony", "neighbours"]
)
def test_listening__what_listener_raises_ends_run_and_leaves_signal(grains, unmix, state, step):
    before = state(grains)
    spectra = "lines" if step in OF_LINES else "free"
    with pytest.raises(EnoughError, match=step), listening(stop_at(step)):
        unmix(grains, spectra=spectra)
    assert state(grains) == before


def test_listening__the_search_for_the_number_can_be_ended(grains, unmix, state):
    before = state(grains)
    with pytest.raises(EnoughError), listening(stop_at("number of phases")):
        unmix(grains, output_dimension="auto")
    assert state(grains) == before


def test_listening__it_is_heard_no_more_afterwards_even_after_an_error(grains, unmix):
    with pytest.raises(EnoughError), listening(stop_at("bin")):
        unmix(grains, **FREE)
    assert not has_listener()
    unmix(grains, **FREE)


def test_listening__other_threads_are_not_heard():
    heard = []
    with listening(print):
        thread = threading.Thread(target=lambda: heard.append(has_listener()))
        thread.start()
        thread.join()
    assert heard == [False]


def test_with_listener__the_listener_comes_before_the_bar_and_neither_is_needed():
    assert with_listener(None) is None
    order = []
    with listening(lambda *args: order.append("listener")):
        with_listener(lambda *args: order.append("bar"))("bin", 0, 1.0)
    assert order == ["listener", "bar"]


def test_listening__no_warnings_of_weaknesses(grains):
    with warnings.catch_warnings(), listening(lambda *args: None):
        warnings.simplefilter("error", UserWarning)
        grains.decomposition(
            algorithm="PSNMF", output_dimension=3, binning=1, print_info=False, **FREE
        )
    assert grains.learning_results.psnmf["weaknesses"]


@pytest.fixture
def compile_something(monkeypatch):
    """Compile a kernel, as the first run does, whenever the map is factorised."""
    kernel = _compile.numba.njit
    fit = module.PSNMFModel.fit_transform

    def fit_after_compilation(self, *args, **kwargs):
        kernel(_compile._do_nothing.py_func)()
        kernel(_compile._do_nothing.py_func)()
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(module.PSNMFModel, "fit_transform", fit_after_compilation)


@needs_numba
@pytest.mark.parametrize("print_info", [True, False])
def test_compilation__is_announced_once_where_info_is_printed(
    grains, compile_something, print_info, capsys
):
    grains.decomposition(
        algorithm="PSNMF", output_dimension=3, binning=2, print_info=print_info, **FREE
    )
    assert capsys.readouterr().out.count(progress.COMPILING) == print_info


@needs_numba
def test_compilation__moves_the_bar(grains, compile_something, capsys):
    grains.decomposition(
        algorithm="PSNMF", output_dimension=3, binning=2, show_progressbar=True, **FREE
    )
    printed = capsys.readouterr()
    assert "PSNMF, compiling kernels" in printed.out + printed.err


@needs_numba
def test_compilation__is_heard_by_listeners(grains, compile_something, unmix):
    heard = []
    with listening(lambda step, *_: heard.append(step)):
        unmix(grains, **FREE)
    assert heard.count("compiling kernels") == 2


@needs_numba
def test_compilation__what_a_listener_raises_then_ends_the_run_later(
    grains, compile_something, unmix, state
):
    before = state(grains)
    with pytest.raises(EnoughError), listening(stop_at("compiling kernels")):
        unmix(grains, **FREE)
    assert state(grains) == before
