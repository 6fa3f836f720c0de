"""Keys of the store: which templates name one, and what a key and its value can be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fanwise.errors import UsageError
from fanwise.model import LONGEST_KEY, KvChange, KvEntry, Limits, is_key
from fanwise.plan.model import PlannedTask
from fanwise.plan.values import Value
from fanwise.values import Json, decode, encode, freeze


def keys_named(values: Iterable[Value]) -> tuple[str, ...]:
    """The keys that the templates of values name, sorted."""
    return tuple(
        sorted({path[1] for value in values for path in value.references if path[0] == "kv"})
    )


def values_of(task: PlannedTask) -> Iterator[Value]:
    """All values of a task that may hold templates, in no order."""
    yield from (entry.value for entry in task.inputs)
    yield from (value for _, value in task.settings.templates())
    yield from ({} if task.items is None else task.items.parts).values()
    yield from task.publish.values()
    for transition in task.transitions:
        yield from transition.publish.values()
        yield from filter(None, (transition.when, transition.message))
    yield from filter(None, (task.when, task.label, task.retry_when, task.retry_until))


def value_of(entry: KvEntry) -> Json:
    """The value of a key, as frozen JSON."""
    value: Json = decode(entry.value)
    return value


def new_value(
    name: str,
    value: object,
    limits: Limits,
    *,
    by: str,
    is_secret: bool = False,
    ttl_s: float | None = None,
    if_version: int | None = None,
) -> KvChange:
    """The change that sets a key. Raises `UsageError` for a key, value or time that can't be."""
    require_key(name)
    if is_secret and (not isinstance(value, str) or not value.strip()):
        raise UsageError(
            f'the value of the key "{name}" can\'t be a secret.',
            hint="A secret is a text that isn't blank; set a key for each of several.",
        )
    if ttl_s is not None and ttl_s <= 0:
        raise UsageError(
            f'the key "{name}" is to last {ttl_s:g} s.', hint="Give a time over 0, such as 1h."
        )
    data = encode(freeze(value, where="value"))
    if len(data) > limits.kv_bytes:
        raise UsageError(
            f'the value of the key "{name}" has {len(data):,} bytes as JSON; the limit is '
            f"{limits.kv_bytes:,}.",
            hint="Write it to a file and set its path, or raise limits.kv_bytes.",
        )
    return KvChange(
        name=name, value=data, by=by, is_secret=is_secret, ttl_s=ttl_s, if_version=if_version
    )


def require_key(name: str) -> None:
    """Raise `UsageError` for a text that can't be a key."""
    if not isinstance(name, str) or not is_key(name):
        raise UsageError(
            f"a key is a text of 1 to {LONGEST_KEY} printable characters without blanks around it.",
            hint="Give one such as cursor, or import/cursor.",
        )
