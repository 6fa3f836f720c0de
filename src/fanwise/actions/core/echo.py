"""`core.echo`: hands back its input."""

from typing import Any

from fanwise.actions.decorator import action


@action("core.echo")
async def give_back(**values: Any) -> dict[str, Any]:
    """Give back what it is given.

    Input: any names and values.
    Result: a map of these names and values.
    Errors: none.
    """
    return values
