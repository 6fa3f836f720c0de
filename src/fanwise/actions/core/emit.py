"""`core.emit`: an event for triggers, and for tasks of other runs that wait for it."""

from __future__ import annotations

from fanwise.actions.decorator import action
from fanwise.catalog import ActionContext
from fanwise.errors import InputError, UsageError


@action("core.emit")
async def emit(
    name: str,
    context: ActionContext,
    data: object = None,
    key: str | None = None,
    id: str | None = None,
) -> dict[str, object]:
    """Emit an event, which starts runs by event triggers and ends waits of `core.wait`.

    An event with an id that is known already changes nothing. Without one it is the attempt's
    idempotency key, so a retry emits nothing twice.

    Input:
      name  the event's name, such as order.paid
      data  its data, any JSON
      key   the key that a wait may ask for
      id    the event's id, unique for a week among events of the name
    Result: {name, id, is_new}
      is_new  false if the id is known already
    Errors:
      InputError  the name, the id or the key can't be one, or the data is over limits.event_bytes
    """
    from fanwise.plan.events import new_event

    known = context.idempotency_key if id is None else id
    try:
        event = new_event(name, data, context.limits, id=known, key=key, by="")
    except UsageError as error:
        raise InputError(error.message, hint=error.hint) from None
    return {"name": name, "id": known, "is_new": await context.emit(event)}
