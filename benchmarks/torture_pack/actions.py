"""Actions that report to the parent process when they begin and end their work.

A report goes, line by line, to the file descriptor that the variable `TORTURE_TO` names: the
idempotency key of an attempt, behind `@begin` or `@end`. A pipe keeps it, whatever becomes of this
process.
"""

import asyncio
import logging
import os
import time
from typing import Any

import fanwise

_log = logging.getLogger(__name__)


def _tell(what: str) -> None:
    """Write one line, as a whole; it begins a line also where another one was broken off."""
    os.write(int(os.environ["TORTURE_TO"]), f"\n@{what}\n".encode())


_tell("loaded")


def _judge(context: fanwise.ActionContext, flaky: bool, broken: bool) -> None:
    if flaky and context.attempt == 1:
        raise fanwise.ActionError("the first try fails", type="Flaky")
    if broken and "TORTURE_MENDED" not in os.environ:
        raise fanwise.ActionError("it is broken", type="Broken")


@fanwise.action("torture.work")
async def work(
    context: fanwise.ActionContext,
    value: Any = None,
    wait_ms: int = 1,
    flaky: bool = False,
    broken: bool = False,
    secret: str = "",
) -> dict[str, Any]:
    """Give back `value`, after some time; fail in the first try, or until it is mended."""
    _tell(f"begin {context.idempotency_key}")
    await asyncio.sleep(wait_ms / 1000)
    _judge(context, flaky, broken)
    _tell(f"end {context.idempotency_key}")
    return {"value": value, "knew": len(secret)}


@fanwise.action("torture.work_thread")
def work_thread(context: fanwise.ActionContext, value: Any = None, wait_ms: int = 1) -> Any:
    """Give back `value`, after some time in a thread."""
    _tell(f"begin {context.idempotency_key}")
    time.sleep(wait_ms / 1000)
    _log.warning("worked at %s", value)
    _tell(f"end {context.idempotency_key}")
    return value
