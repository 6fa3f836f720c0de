"""`core.sleep`: waits."""

from __future__ import annotations

from typing import Annotated

from fanwise.actions.decorator import DURATION, action
from fanwise.catalog import ActionContext


@action("core.sleep")
async def wait(seconds: Annotated[float, DURATION], context: ActionContext | None = None) -> None:
    """Wait; after a crash just for the rest.

    Input: `seconds`, a number of them or a duration such as `1m30s`.
    Result: null.
    """
    import asyncio

    await (asyncio.sleep if context is None else context.sleep)(seconds)
