"""`core.noop`: does nothing."""

from fanwise.actions.decorator import action


@action("core.noop")
async def do_nothing() -> None:
    """Do nothing: a place where paths meet, or where variables are published.

    Input: none.
    Result: null.
    Errors: none.
    """
