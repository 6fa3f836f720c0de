"""Keys and values of the store, as runs read and change them.

A visit reads each key once, which is recorded, so that it sees the same if it starts again. The
value of a secret is recorded nowhere but under its key: from its reading on it is masked in all
that is recorded of the run. These block, unless they are awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from fanwise.context import WITHHELD
from fanwise.engine.masking import Masker
from fanwise.errors import ActionError, InputError, KeyConflictError
from fanwise.model import KvChange
from fanwise.plan.keys import value_of
from fanwise.ports import KeyValues
from fanwise.values import decode


def read_keys(
    kv: KeyValues,
    masker: Masker,
    run_no: int,
    path: str,
    names: Collection[str],
    *,
    records: bool,
) -> Mapping[str, object]:
    """The values of those keys that are set, for templates at `path`.

    Where values are recorded a secret is withheld. Raises `StoreError`.
    """
    found = kv.kv_read(run_no, path, names)
    values: dict[str, object] = {name: value_of(entry) for name, entry in found.items()}
    secrets = [name for name, entry in found.items() if entry.is_secret]
    masker.add(str(values[name]) for name in secrets)
    if records:
        values.update(dict.fromkeys(secrets, WITHHELD))
    return values


async def change_key(kv: KeyValues, masker: Masker, change: KvChange) -> int:
    """Make the change of an action, and return the key's version after it.

    Raises `InputError` for a value with a secret that isn't to be one, and `ActionError` of the
    type `KeyConflict`.
    """
    if change.value is not None:
        if change.is_secret:
            masker.add([decode(change.value)])
        elif not masker.holds_none(change.value):
            raise InputError(
                f'the value of the key "{change.name}" holds a secret.',
                hint="Give `secret: true`, so that it is masked wherever it is read.",
            )
    try:
        return await asyncio.to_thread(kv.kv_change, change)
    except KeyConflictError as error:
        raise ActionError(
            str(error), type="KeyConflict", data={"name": error.name, "version": error.version}
        ) from None
