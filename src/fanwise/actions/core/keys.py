"""`core.kv_set` and `core.kv_delete`: change a key of the store, whose value outlives the run."""

from __future__ import annotations

from typing import Annotated

from fanwise.actions.decorator import DURATION, action
from fanwise.catalog import ActionContext
from fanwise.errors import InputError, UsageError
from fanwise.model import KvChange


@action("core.kv_set")
async def set_key(
    name: str,
    value: object,
    context: ActionContext,
    ttl: Annotated[float | None, DURATION] = None,
    secret: bool = False,
    if_version: int | None = None,
) -> dict[str, object]:
    """Set the value of a key, which templates of all runs read as `kv.NAME`.

    Input:
      name        the key
      value       its value, any JSON
      ttl         how long it lasts, such as 1h; default: for ever
      secret      whether it is masked in all that is recorded of runs; it is a text then
      if_version  set it only if the key has this version; 0: only if it isn't set
    Result: {name, version}
    Errors:
      KeyConflict  the key has another version than if_version; data: {name, version}
      InputError   the name can't be a key, the value is over limits.kv_bytes, or holds a secret
    """
    from fanwise.plan.keys import new_value

    try:
        change = new_value(
            name,
            value,
            context.limits,
            by=context.idempotency_key,
            is_secret=secret,
            ttl_s=ttl,
            if_version=if_version,
        )
    except UsageError as error:
        raise InputError(error.message, hint=error.hint) from None
    return await _make(change, context)


@action("core.kv_delete")
async def delete_key(
    name: str, context: ActionContext, if_version: int | None = None
) -> dict[str, object]:
    """Delete a key. One that isn't set stays so.

    Input:
      name        the key
      if_version  delete it only if it has this version
    Result: {name, version}
    Errors:
      KeyConflict  the key has another version than if_version; data: {name, version}
      InputError   the name can't be a key
    """
    from fanwise.plan.keys import require_key

    try:
        require_key(name)
    except UsageError as error:
        raise InputError(error.message, hint=error.hint) from None
    by = context.idempotency_key
    return await _make(KvChange(name=name, value=None, by=by, if_version=if_version), context)


async def _make(change: KvChange, context: ActionContext) -> dict[str, object]:
    from msgspec.structs import replace

    version = await context.change_key(replace(change, is_once=True))
    return {"name": change.name, "version": version}
