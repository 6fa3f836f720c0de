"""The port `KeyValues` over a database.

A change locks the row of its key first, which is made if there is none. A key that is deleted, or
whose time is over, keeps its row and thereby its version for a week.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from fanwise.errors import KeyConflictError
from fanwise.model import KvChange, KvEntry
from fanwise.stores.database import Database, Reader, Writer, findable
from fanwise.stores.rows import Row
from fanwise.stores.wait_rows import checked

_KEPT_S: Final = 7 * 86_400
_SWEPT: Final = 100
_FIELDS: Final = "name, value, version, is_secret, set_at, set_by, expires_at"
_IS_SET: Final = "value IS NOT NULL AND (expires_at IS NULL OR expires_at > fanwise_now())"

_ONE: Final = f"SELECT {_FIELDS} FROM kv WHERE name = :name AND {_IS_SET}"
_PAGE: Final = (
    f"SELECT {_FIELDS} FROM kv WHERE name > :after AND substr(name, 1, :length) = :prefix"
    f" AND {_IS_SET} ORDER BY name LIMIT :limit"
)
_LOCK: Final = (
    "INSERT INTO kv (name, version, is_secret, set_at, set_by) VALUES (:name, 0, FALSE, 0.0, '')"
    " ON CONFLICT (name) DO UPDATE SET version = kv.version"
)
_LAST: Final = f"SELECT version, set_by, {_IS_SET} FROM kv WHERE name = :name"
_CHANGE: Final = (
    "UPDATE kv SET value = :value, version = :version, is_secret = :is_secret,"
    " set_at = fanwise_now(), set_by = :by, expires_at = fanwise_now() + :ttl_s"
    " WHERE name = :name"
)
_HAS: Final = "SELECT version FROM kv WHERE name = :name AND version = :version AND set_by = :by"
_FORGOTTEN: Final = f"expires_at < fanwise_now() - {_KEPT_S}"
_FORGET: Final = (
    f"DELETE FROM kv WHERE {_FORGOTTEN} AND name IN"
    f" (SELECT name FROM kv WHERE {_FORGOTTEN} ORDER BY name LIMIT {_SWEPT})"
)

_READINGS: Final = "SELECT found FROM kv_readings WHERE run_no = :run_no AND path = :path"
_KEEP: Final = (
    "INSERT INTO kv_readings (run_no, path, found) VALUES (:run_no, :path, :found)"
    " ON CONFLICT (run_no, path) DO UPDATE SET found = excluded.found"
)
DISCARD_READINGS: Final = "DELETE FROM kv_readings WHERE run_no = :run_no AND path = :path"
DISCARD_READINGS_WITHIN: Final = (
    "DELETE FROM kv_readings WHERE run_no = :run_no AND path >= :first AND path < :last"
)


class _Reading(msgspec.Struct):
    """A reading of a key that was set: its version, and its value as JSON text if not secret."""

    version: int
    value: str | None = None


_Readings = dict[str, _Reading | None]


class SqlKeyValues:
    """The port `KeyValues` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kv_entry(self, name: str) -> KvEntry | None:
        """The value of a key; see `KeyValues.kv_entry`."""
        return _find(self._database, name)

    def kv_entries(self, *, prefix: str = "", after: str = "", limit: int) -> Sequence[KvEntry]:
        """A page of keys; see `KeyValues.kv_entries`."""
        values = findable({"prefix": prefix, "after": after})
        found = self._database.read(_PAGE, length=len(prefix), limit=limit, **values)
        return [_entry(row) for row in found]

    def kv_change(self, change: KvChange) -> int:
        """Make a change; see `KeyValues.kv_change`."""
        checked({"name": change.name, "by": change.by}, self._database.place)
        made: list[int] = []  # the versions that attempts of this transaction have given

        def write(writer: Writer) -> int:
            made.append(version := _change(writer, change))
            return version

        def settle(reader: Reader) -> list[int]:
            mine = {"name": change.name, "by": change.by}
            return [each for each in made if reader.read(_HAS, version=each, **mine)][-1:]

        version = self._database.controlling(write, settle)
        if self._database.read(f"SELECT 1 FROM kv WHERE {_FORGOTTEN} LIMIT 1"):
            self._database.controlling(lambda writer: writer.execute(_FORGET))
        return version

    def kv_read(self, run_no: int, path: str, names: Collection[str]) -> Mapping[str, KvEntry]:
        """The values that a run reads at a path; see `KeyValues.kv_read`."""
        kept = _readings(self._database, run_no, path)
        if not kept.keys() >= set(names):
            kept = self._database.controlling(lambda writer: _read(writer, run_no, path, names))
        found = {}
        for name in names:
            reading = kept[name]
            if reading is None:
                continue
            if reading.value is not None:
                value = reading.value.encode()
                found[name] = KvEntry(name, value, reading.version, False, 0.0, "")
            elif (entry := self.kv_entry(name)) is not None:
                found[name] = entry
        return found


def _entry(row: Row) -> KvEntry:
    name, value, version, is_secret, set_at, set_by, expires_at = row
    return KvEntry(name, value.encode(), version, bool(is_secret), set_at, set_by, expires_at)


def _find(reader: Reader | Writer | Database, name: str) -> KvEntry | None:
    found = reader.read(_ONE, **findable({"name": name}))
    return _entry(found[0]) if found else None


def _change(writer: Writer, change: KvChange) -> int:
    writer.execute(_LOCK, name=change.name)
    ((version, set_by, is_set),) = writer.read(_LAST, name=change.name)
    if change.is_once and set_by == change.by:  # an attempt that is repeated
        return int(version)
    if change.if_version is not None and change.if_version != (version if is_set else 0):
        raise _conflict(change.name, change.if_version, int(version) if is_set else 0)
    writer.execute(
        _CHANGE,
        name=change.name,
        value=None if change.value is None else change.value.decode(),
        version=version + 1,
        is_secret=change.is_secret,
        by=change.by,
        ttl_s=0.0 if change.value is None else change.ttl_s,
    )
    return int(version) + 1


def _conflict(name: str, wanted: int, version: int) -> KeyConflictError:
    has = f"has version {version}" if version else "isn't set"
    wants = f"version {wanted}" if wanted else "a key that isn't set"
    return KeyConflictError(
        f'the key "{name}" {has}, and the change is for {wants}, so nothing was changed.',
        name=name,
        version=version,
        hint="Read the key again, and decide again.",
    )


def _readings(reader: Reader | Writer | Database, run_no: int, path: str) -> _Readings:
    found = reader.read(_READINGS, run_no=run_no, path=path)
    return msgspec.json.decode(found[0][0], type=_Readings) if found else {}


def _read(writer: Writer, run_no: int, path: str, names: Collection[str]) -> _Readings:
    """Read the keys that haven't been read at the path, and keep that."""
    kept = _readings(writer, run_no, path)
    for name in names:
        if name in kept:
            continue
        entry = _find(writer, name)
        kept[name] = None
        if entry is not None:
            value = None if entry.is_secret else entry.value.decode()
            kept[name] = _Reading(entry.version, value)
    writer.execute(_KEEP, run_no=run_no, path=path, found=msgspec.json.encode(kept).decode())
    return kept
