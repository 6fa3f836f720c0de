"""Tells exceptions that an action has raised from those that strike its code from outside.

Whatever class an action raises fails its attempt, `KeyboardInterrupt`, `SystemExit` and
`GeneratorExit` too. A Ctrl-C of the user does not, and neither does the closing of a coroutine.
"""

from __future__ import annotations

import dis
import signal
import threading
from typing import Final

_RAISES: Final = frozenset(dis.opmap[name] for name in ("RAISE_VARARGS", "RERAISE"))


def is_from_outside(error: BaseException, *, can_be_ctrl_c: bool = True) -> bool:
    """Say whether an exception has struck an action's code: a Ctrl-C, or the code's closing.

    Without `can_be_ctrl_c` the code ran in another thread than the main one, which no signal
    reaches.
    """
    if isinstance(error, KeyboardInterrupt):
        return can_be_ctrl_c and _can_be_raised_by_signal() and not _was_raised_by_code(error)
    return isinstance(error, GeneratorExit) and not _was_raised_by_code(error)


def _can_be_raised_by_signal() -> bool:
    """Say whether a Ctrl-C raises here.

    With a handler of their own, which `asyncio.run` and the command line have, the first Ctrl-C has
    asked for the end in another way.
    """
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def _was_raised_by_code(error: BaseException) -> bool:
    """Say whether the innermost frame was at a `raise`, and not anywhere."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_code[trace.tb_lasti] in _RAISES
