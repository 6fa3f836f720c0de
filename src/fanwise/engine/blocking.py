"""The way from code without an event loop into code that needs one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fanwise.errors import UsageError

_T = TypeVar("_T")


def run_blocking(
    start: Callable[[], Coroutine[Any, Any, _T]],
    *,
    instead: str,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> _T:
    """Run the coroutine that `start` makes to its end, on an event loop of its own.

    `loop_factory` makes the loop, if not asyncio itself. Raises `UsageError`, before the coroutine
    is made, if an event loop runs in this thread already, as in a notebook; `instead` is what to
    write there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError(
            "an event loop runs here already, as in every notebook, and can't be waited for.",
            hint=f"Use: {instead}",
        )
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(start())
