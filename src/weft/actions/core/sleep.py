"""`core.sleep`: waits."""

from weft.actions.decorator import action
from weft.errors import InputError


@action("core.sleep")
async def wait(seconds: float) -> None:
    """Wait.

    Input: `seconds`, 0 or more; fractions count.
    Result: null.
    Errors: InputError for a negative number.
    """
    if seconds < 0:
        raise InputError('input "seconds" of core.sleep must be 0 or more.')
    import asyncio

    await asyncio.sleep(seconds)
