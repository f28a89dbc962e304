# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever waits for a kernel to be compiled is told so, and only then."""

import os
import subprocess
import sys
import threading

import pytest

from hyperspy_psnmf.kernels import _compile

RUN = """
from hyperspy_psnmf.kernels import _compile
compiled = []
with _compile.on_compilation(compiled.append):
    _compile._do_nothing()
    _compile._do_nothing()
print(compiled)
"""


def run(code, folder, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment},
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


@pytest.mark.slow
def test_on_compilation__once_and_not_for_cached_kernels(tmp_path):
    assert run(RUN, tmp_path) == "['_do_nothing']"
    assert run(RUN, tmp_path) == "[]"


def test_on_compilation__not_without_numba(tmp_path):
    assert run(RUN, tmp_path, NUMBA_DISABLE_JIT="1") == "[]"


@pytest.mark.skipif("not hasattr(_compile._do_nothing, 'stats')", reason="Numba is switched off")
class TestInOneProcess:
    def compile_anew(self):
        _compile.numba.njit(_compile._do_nothing.py_func)()

    def test_on_compilation__of_other_packages_is_not_told(self):
        told = []
        with _compile.on_compilation(told.append):
            _compile.numba.njit(lambda: 1)()
        assert told == []

    def test_on_compilation__ends_with_its_context(self):
        told = []
        with _compile.on_compilation(told.append):
            self.compile_anew()
        self.compile_anew()
        assert told == ["_do_nothing"]

    def test_on_compilation__what_the_callback_raises_ends_the_context_not_the_call(self):
        told = []

        def stop(name):
            told.append(name)
            raise KeyError(name)

        with pytest.raises(KeyError, match="_do_nothing"), _compile.on_compilation(stop):
            assert [self.compile_anew() for _ in range(2)] == [None, None]
        assert told == ["_do_nothing"] * 2
        self.compile_anew()  # nothing is left locked

    def test_on_compilation__what_the_callback_raises_is_not_raised_in_other_threads(self):
        compiled, listens = threading.Event(), threading.Event()
        raised = []

        def stop(name):
            raise KeyError(name)

        def listen():
            try:
                with _compile.on_compilation(stop):
                    listens.set()
                    compiled.wait()
            except KeyError as error:
                raised.append(error)

        thread = threading.Thread(target=listen)
        thread.start()
        listens.wait()
        try:
            self.compile_anew()
        finally:
            compiled.set()
            thread.join()
        assert len(raised) == 1
