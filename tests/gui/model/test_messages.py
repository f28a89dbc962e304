# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions of the widget: their warnings are messages, in threads too."""

import threading
import warnings

from hyperspy_psnmf.gui.model.messages import WithMessage, action

LONG = 0.5  # s, for a second action to begin, if it can


class Actor(WithMessage):
    """Warns once another action has had its time."""

    @action
    def warn(self, name, begun, until):
        begun.set()
        until.wait(LONG)
        warnings.warn(f"of {name}", UserWarning, stacklevel=1)


def test_action__in_two_threads_at_once_each_has_its_warning_and_no_filter_stays():
    before = list(warnings.filters)
    first, second = Actor(), Actor()
    begun, also_begun, ended = (threading.Event() for _ in range(3))

    def act_first():
        first.warn("the first", begun, also_begun)
        ended.set()

    def act_second():
        begun.wait()
        second.warn("the second", also_begun, ended)

    threads = [threading.Thread(target=act) for act in (act_first, act_second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after, warnings.filters[:] = list(warnings.filters), before  # for other tests, if it failed
    assert after == before
    assert first.message == "Note: of the first."
    assert second.message == "Note: of the second."


def test_action__one_action_may_call_another():
    class Nested(Actor):
        @action
        def both(self):
            there = threading.Event()
            there.set()
            self.warn("the inner", there, there)

    actor = Nested()
    actor.both()
    assert actor.message == "Note: of the inner."
