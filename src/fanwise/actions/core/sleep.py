"""`core.sleep`: waits."""

from fanwise.actions.decorator import action
from fanwise.catalog import ActionContext
from fanwise.errors import InputError


@action("core.sleep")
async def wait(seconds: float, context: ActionContext | None = None) -> None:
    """Wait; after a crash just for the rest.

    Input: `seconds`, 0 or more; fractions count.
    Result: null.
    Errors: InputError for a negative number.
    """
    if seconds < 0:
        raise InputError('input "seconds" of core.sleep must be 0 or more.')
    import asyncio

    await (asyncio.sleep if context is None else context.sleep)(seconds)
