"""Keys and values of a store from Python: `fanwise.kv.get`, `set`, `delete` and `entries`.

They outlive runs; templates read them as `kv.NAME`. `store` is the URL of the store, or its path,
by default the user's own. Each call opens it, and raises `StoreError` if that can't be done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fanwise.errors import UsageError
from fanwise.model import KvChange, KvEntry
from fanwise.plan.keys import new_value, require_key, value_of
from fanwise.values import Json, thaw
from fanwise.wiring import StorePlace, open_existing, open_or_make, read_settings, this_user

__all__ = ["KvEntry", "delete", "entries", "get", "set"]

_PAGE: Final = 1_000


def get(name: str, default: Json = None, *, store: StorePlace = None) -> Json:
    """Return the value of a key, or `default` if it isn't set."""
    with open_existing(read_settings(store=store)) as opened:
        found = opened.kv_entry(name)
    value: Json = default if found is None else thaw(value_of(found))
    return value


def entries(prefix: str = "", *, store: StorePlace = None) -> Iterator[KvEntry]:
    """Give the keys that begin with `prefix`, in the order of their names, as they are read.

    An entry has its `name`, its `value` as JSON text, its `version`, and when and by whom it was
    set; `is_secret` says that its value is masked elsewhere.
    """
    with open_existing(read_settings(store=store)) as opened:
        after = ""
        while page := opened.kv_entries(prefix=prefix, after=after, limit=_PAGE):
            yield from page
            after = page[-1].name


def set(  # noqa: A001 - as it is called
    name: str,
    value: Json,
    *,
    ttl_s: float | None = None,
    secret: bool = False,
    if_version: int | None = None,
    by: str | None = None,
    store: StorePlace = None,
) -> int:
    """Set the value of a key, and return its version; a store that isn't there is made.

    It lasts for `ttl_s` seconds, or for ever. A `secret` is a text, which is masked in all that is
    recorded of runs. With `if_version` the key must have this version, 0 if it isn't to be set yet;
    otherwise `KeyConflictError` is raised, and nothing is changed. `by` names who sets it, by
    default the user of this process. Raises `UsageError` for a name or value that can't be.
    """
    settings = read_settings(store=store)
    change = new_value(
        name,
        value,
        settings.limits,
        by=by or this_user(),
        is_secret=secret,
        ttl_s=ttl_s,
        if_version=if_version,
    )
    with open_or_make(settings) as opened:
        return opened.kv_change(change)


def delete(
    name: str, *, if_version: int | None = None, by: str | None = None, store: StorePlace = None
) -> bool:
    """Delete a key, and say whether it was set. `if_version` and the errors are those of `set`."""
    require_key(name)
    if if_version == 0:
        raise UsageError("a key that isn't set can't be deleted.", hint="Give its version.")
    change = KvChange(name=name, value=None, by=by or this_user(), if_version=if_version)
    with open_existing(read_settings(store=store)) as opened:
        if if_version is None and opened.kv_entry(name) is None:
            return False
        opened.kv_change(change)
    return True
