"""Ctrl-C and SIGTERM during a run.

The first asks the run to pause: nothing new starts, what is in flight finishes. The second stops
what is in flight; what it doesn't let go of within two seconds, or up to a third signal, is left
behind with the process. What has been recorded stays recorded in any case.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from types import FrameType

from fanwise.cli.leaving import INTERRUPTED, SIGNALS, leave
from fanwise.ports import Observer, TaskProgress

KEPT = "What was recorded by now is kept."
"""Words about every run that has stopped before its end."""

_GRACE_S = 2.0


class Interruption(Observer):
    """Listens for the signals during a run, which it also observes."""

    def __init__(
        self,
        pause: Callable[[], None],
        say: Callable[[str], None],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """`close` takes what is shown of running tasks off the terminal."""
        self._pause = pause
        self._say = say
        self._close = close
        self._signals = 0

    @property
    def is_asked(self) -> bool:
        """Say whether the run is to pause."""
        return self._signals > 0

    @property
    def is_forced(self) -> bool:
        """Say whether the run is to stop at once."""
        return self._signals > 1

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while this block of the current asyncio task lasts, in the main thread."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._context = copy_context()
        # Not `loop.add_signal_handler`: its handlers wait while an action blocks the loop.
        previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def task_started(self, progress: TaskProgress) -> None:
        """Ask again: a run that is only beginning doesn't hear the first time."""
        if self._signals:
            self._pause()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals == 1:
            # Not in the context of an item that is at work: its log would get what is said.
            self._loop.call_soon_threadsafe(self._ask, context=self._context)
        elif self._signals == 2 and self._task is not None:
            self._loop.call_soon_threadsafe(self._close, context=self._context)
            self._loop.call_soon_threadsafe(self._task.cancel)
            timer = threading.Timer(_GRACE_S, leave, [INTERRUPTED])
            timer.daemon = True
            timer.start()
        else:
            leave(INTERRUPTED)

    def _ask(self) -> None:
        self._say("Finishing what is in flight; press Ctrl-C again to stop at once.")
        self._pause()
