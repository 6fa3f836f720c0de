"""The end of a command by Ctrl-C or SIGTERM, at any moment: no word, and the shell's exit status.

No exception is raised: authors' modules could catch it while they are imported. Nothing is lost,
since a store stands the loss of any process. While a run is driven, `Interruption` listens instead.
"""

from __future__ import annotations

import os
import sys

# Until the signals are heard a Ctrl-C gives a traceback, so nothing is imported that takes time:
# `signal` imports the module of enumerations.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn, Self

    _Handler = Callable[[int, FrameType | None], object]
else:
    import _signal as signal

INTERRUPTED = 130
"""The exit status of an interrupted command."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_SIGNALLED = 128  # what shells add to a signal's number
_LEAVE_LINE = "\r\x1b[K\x1b[?25h"
"""Clears the line that the cursor is in, and shows the cursor."""


def leave_at_signals() -> None:
    """Have signals end the process here and now, up to its own end."""
    _hear(_leave)


class CleaningUpAtSignals:
    """Has signals end the process through `SystemExit`, so that temporary files are removed."""

    def __enter__(self) -> Self:
        self._previous = _hear(_exit)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def leave(status: int) -> NoReturn:
    """End the process here and now; actions that still work don't hold it up."""
    if sys.stderr is not None and sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _LEAVE_LINE.encode())
    os._exit(status)


def _hear(handler: _Handler) -> dict[int, _Handler | int | None]:
    """Set the handler and return the previous ones.

    A signal that is ignored, as `nohup` and a shell's `&` have it, stays ignored.
    """
    heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heard}


def _leave(number: int, _frame: FrameType | None) -> None:
    leave(_SIGNALLED + number)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(_SIGNALLED + number)
