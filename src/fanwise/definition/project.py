"""From the text of a project's `fanwise.yaml` to its settings, or to all of its problems at once.

Reads no files: it is given the text and the name that messages call the file by.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fanwise.definition.problems import Problems, did_you_mean, shown
from fanwise.definition.yaml.composer import compose
from fanwise.definition.yaml.text import read_text
from fanwise.model import Limits

PROJECT_FILE: Final = "fanwise.yaml"

_KEYS: Final = ("store",)


class ProjectDefinition(msgspec.Struct, frozen=True):
    """The settings of a project. `store` is the store of its runs, as written, or None."""

    store: str | None = None


def load_project(text: str | bytes, *, file: str, limits: Limits) -> ProjectDefinition:
    """Return the settings in `text`, which is the content of `file`.

    Raises `DefinitionError` with every problem of the file.
    """
    problems = Problems(file)
    document = compose(read_text(text, problems, limits), problems)
    problems.raise_any()
    if document is None or document.value is None:
        return ProjectDefinition()
    if not isinstance(document.children, dict):
        problems.stop(
            document.spot,
            "bad-type",
            f"the file is {shown(document.value)}, not a map.",
            f"It takes {', '.join(_KEYS)}, such as `store: runs.db`.",
        )
    for key in document.children:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"It takes {', '.join(_KEYS)}."
            message = f"{PROJECT_FILE} has no key {shown(key)}."
            problems.add(document.key_spot((key,)), "unknown-key", message, hint)
    found = document.children.get("store")
    if found is not None and not (isinstance(found.value, str) and found.value.strip()):
        problems.add(
            found.spot,
            "bad-type",
            f'"store" is {shown(found.value)}, and takes a path or a URL.',
            "Write a path from this file on, such as runs.db.",
        )
    problems.raise_any()
    return ProjectDefinition(None if found is None else found.value)
