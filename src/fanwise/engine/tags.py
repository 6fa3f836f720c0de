"""Tags: words that a run is given, to be found by."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from fanwise.errors import UsageError

_MAX_TAGS: Final = 20
_is_tag = re.compile(r"[A-Za-z0-9._:=/-]{1,100}").fullmatch


def checked_tags(tags: Collection[str]) -> tuple[str, ...]:
    """The tags of a run as they are recorded: sorted, each once. Raises `UsageError`."""
    given = [tags] if isinstance(tags, str) else tags
    for tag in given:
        if not (isinstance(tag, str) and _is_tag(tag)):
            raise UsageError(
                f'"{tag}" can\'t be a tag: tags are letters, digits and . _ - : = /, at most 100.'
            )
    found = tuple(sorted(set(given)))
    if len(found) > _MAX_TAGS:
        raise UsageError(f"a run has at most {_MAX_TAGS} tags, not {len(found)}.")
    return found
