# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread for all that widgets of a notebook do."""

import asyncio
import threading

# Too short to be noticed. In several steps, for after a figure was drawn a single one would
# be over at once, with the messages that came meanwhile still unread.
STEPS, STEP = 5, 0.05  # s


class OwnThread:
    """Hands over what happens in other threads to the one that made the widgets.

    That is the one of the notebook's kernel, which takes messages and sends them.
    """

    def __init__(self):
        self._thread = threading.get_ident()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # no notebook
            self._loop = None

    def observe(self, tool, show, traits) -> None:
        """Call `show` in this thread after a change of traits."""
        tool.observe(lambda event: self._call(show), traits)

    def _call(self, show):
        if self._loop is None or threading.get_ident() == self._thread:
            show()
        else:
            self._loop.call_soon_threadsafe(show)

    def act(self, act) -> None:
        """Do something in this thread, after what was entered before has arrived.

        JupyterLab hands over messages of some widgets to one thread of the kernel and of
        some to another (a "subshell"). So a button may be pressed here while the number
        that was typed before it still waits there.
        """
        if self._loop is None:
            act()
        else:
            self._loop.call_soon_threadsafe(self._settle, act, STEPS)

    def _settle(self, act, steps):
        if steps:
            self._loop.call_later(STEP, self._settle, act, steps - 1)
        else:
            act()
