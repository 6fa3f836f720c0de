"""The small actions: `core.noop`, `core.echo`, `core.sleep` and `core.fail`."""

from __future__ import annotations

from typing import Annotated, Any

from fanwise.actions.decorator import DURATION, action
from fanwise.catalog import ActionContext
from fanwise.errors import ActionError


@action("core.noop")
async def do_nothing() -> None:
    """Do nothing: a place where paths meet, or where variables are published.

    Input: none.
    Result: null.
    Errors: none.
    """


@action("core.echo")
async def give_back(**values: Any) -> dict[str, Any]:
    """Give back what it is given.

    Input: any names and values.
    Result: a map of these names and values.
    Errors: none.
    """
    return values


@action("core.sleep")
async def wait(seconds: Annotated[float, DURATION], context: ActionContext | None = None) -> None:
    """Wait; after a crash just for the rest.

    Input: `seconds`, a number of them or a duration such as `1m30s`.
    Result: null.
    """
    import asyncio

    await (asyncio.sleep if context is None else context.sleep)(seconds)


@action("core.fail")
async def give_up(
    message: str = "failed on purpose.", type: str = "Failed", data: Any = None, retry: bool = False
) -> None:
    """Fail with an error of your own.

    Input:
      message  what happened
      type     the error's type, which `error().type` gives; default Failed
      data     anything, which `error().data` gives
      retry    whether the task's `retry` applies; default false
    Result: never any.
    Errors: the one that the input describes.
    """
    raise ActionError(message, type=type, data=data, retry=retry)
