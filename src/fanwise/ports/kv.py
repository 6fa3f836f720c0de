"""Keys and values that outlive runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from fanwise.model import KvChange, KvEntry


class KeyValues(Protocol):
    """Keys and values. Any thread may call these; they block.

    A value whose time is over isn't there. No key gets a version twice within a week.
    """

    def kv_entry(self, name: str) -> KvEntry | None:
        """The value of a key, or None if it isn't set."""

    def kv_entries(self, *, prefix: str = "", after: str = "", limit: int) -> Sequence[KvEntry]:
        """At most `limit` keys that begin with `prefix` and follow `after`, in bytewise order."""

    def kv_change(self, change: KvChange) -> int:
        """Make a change, and return the key's version after it.

        Raises `KeyConflictError` if the key doesn't have the version that the change asks for, and
        `RecordRefusedError` for a name that can't be stored.
        """

    def kv_read(self, run_no: int, path: str, names: Collection[str]) -> Mapping[str, KvEntry]:
        """The values of keys as a run has read them first at `path`; those that were set then.

        The reading is recorded with the run. Of a secret its version alone is: a later call gives
        the value that it has then.
        """
