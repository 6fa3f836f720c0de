"""Events that are emitted: what their names and data can be. Pure."""

from __future__ import annotations

from fanwise.errors import UsageError
from fanwise.model import EVENT, Arrival, Limits, is_own_event
from fanwise.plan.texts import require_text
from fanwise.values import encode, freeze


def new_event(
    name: str,
    data: object,
    limits: Limits,
    *,
    id: str,
    key: str | None,
    by: str,
    depth: int = 0,
) -> Arrival:
    """The event to be emitted.

    Raises `UsageError` for a name, an id, a sender or data that can't be, and `ResultError` for
    data that isn't JSON.
    """
    require_text("the name of an event", name, "such as report.wanted")
    if "*" in name or is_own_event(name):
        raise UsageError(
            f'no event can be named "{name}".',
            hint="A * stands for other names, and fanwise itself emits those with fanwise.",
        )
    require_text("the id of an event", id, "such as order-7")
    if key is not None:
        require_text("the key of an event", key, "such as order-7")
    if by:
        require_text("the sender of an event", by, "such as ada")
    text = encode(freeze(data, where="data"), where="data")
    if len(text) > limits.event_bytes:
        raise UsageError(
            f"the data of the event has {len(text):,} bytes as JSON; the limit is "
            f"{limits.event_bytes:,}.",
            hint="Write it to a file and give its path, or raise limits.event_bytes.",
        )
    return Arrival(source=EVENT, name=name, id=id, data=text, key=key, by=by, depth=depth)
