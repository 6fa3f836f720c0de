"""The base of all models: a map of the file whose keys are all known, spelt with `-` or `_`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator


def _key(field: str) -> str:
    """The key of the language that a model's field holds."""
    return field.rstrip("_").replace("_", "-")


class Keys(BaseModel):
    """A map of the file whose keys are all known."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        defer_build=True,
        alias_generator=_key,
    )

    @model_validator(mode="before")
    @classmethod
    def _spell_with_hyphens(cls, data: object) -> object:
        """Read `_` as `-` in the keys that are known; others stay as they are written."""
        if not isinstance(data, dict) or not any("_" in key for key in data):
            return data
        known = cls.keys()
        return {
            hyphened if (hyphened := key.replace("_", "-")) in known else key: value
            for key, value in data.items()
        }

    @classmethod
    def keys(cls) -> list[str]:
        """The keys that this map takes, in the order documented."""
        return [_key(field) for field in cls.model_fields]
