# SPDX-License-Identifier: GPL-3.0-or-later
"""How long kernels take to compile: the phantom unmixed by a new installation.

Run as ``python -m tests.benchmarks.compile_time``. It unmixes the built-in phantom on the command
line with an empty cache, and prints the processor time of each kernel, with and without
what is compiled for it, and the types it was compiled for.
"""

import os
import subprocess
import sys
import tempfile
import time

from numba.core import event


class CompileTimes(event.Listener):
    """Collects the processor time that each kernel takes to compile."""

    def __init__(self):
        self.rows, self._running = [], []

    def on_start(self, begun):
        """Note when a kernel, or a part of it, begins."""
        self._running.append([time.thread_time(), 0.0])

    def on_end(self, ended):
        """Add a row: own time, time with parts, name and types."""
        begin, of_parts = self._running.pop()
        total = time.thread_time() - begin
        if self._running:
            self._running[-1][1] += total
        function = ended.data["dispatcher"].py_func
        name = f"{function.__module__.removeprefix('hyperspy_psnmf.')}.{function.__name__}"
        self.rows.append((total - of_parts, total, name, str(ended.data["args"])))

    def print_table(self, least: float = 0.1) -> None:
        """Print what takes longest, in seconds."""
        for own, total, name, types in sorted(self.rows, reverse=True):
            if own >= least:
                print(f"{own:6.2f} {total:6.2f}  {name}  {types[:60]}")
        print(f"{sum(row[0] for row in self.rows):6.2f} s in {len(self.rows)} compilations")


def _unmix(folder):
    """Unmix the phantom in this process, and print the table."""
    from hyperspy_psnmf.__main__ import main

    times = CompileTimes()
    with event.install_listener("numba:compile", times):
        main(["-k", "3", "-o", folder])
    times.print_table()


def _main():
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": os.path.join(folder, "cache")}
        for name in ("empty", "filled"):
            command = [sys.executable, "-m", __spec__.name, os.path.join(folder, name)]
            print(f"with {name} cache", flush=True)
            subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    _unmix(sys.argv[1]) if len(sys.argv) > 1 else _main()
