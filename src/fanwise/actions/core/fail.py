"""`core.fail`: fails on purpose."""

from typing import Any

from fanwise.actions.decorator import action
from fanwise.errors import ActionError


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
