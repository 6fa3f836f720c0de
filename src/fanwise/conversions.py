"""Results of actions that aren't JSON as they are, but have one natural form in JSON.

Dates and times, paths, UUIDs, enums, dataclasses and pydantic models; all else stays as it is, for
`encode` to refuse. Nothing is imported that the value's own module hasn't.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import pathlib
import uuid

from fanwise.values import MAX_DEPTH


def converted(value: object, depth: int = 0) -> object:
    """The value with every part that has a natural form in JSON put into it."""
    if depth > MAX_DEPTH:
        return value  # it holds itself, say
    match value:
        case enum.Enum():
            return converted(value.value, depth + 1)
        case dict():
            return {_key(key): converted(part, depth + 1) for key, part in value.items()}
        case list() | tuple():
            return [converted(part, depth + 1) for part in value]
        case datetime.date() | datetime.time():
            return value.isoformat()
        case pathlib.PurePath() | uuid.UUID():
            return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {each.name: converted(getattr(value, each.name), depth + 1) for each in fields}
    dump = getattr(type(value), "model_dump", None)  # pydantic's, whatever its version is
    return value if dump is None else converted(dump(value), depth + 1)


def _key(key: object) -> object:
    return key.value if isinstance(key, enum.Enum) else key
