"""From the text of a project's `fanwise.yaml` to its settings, or to all of its problems at once.

Reads no files: it is given the text and the name that messages call the file by.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fanwise.definition.problems import Problems, did_you_mean, shown
from fanwise.definition.yaml.composer import compose
from fanwise.definition.yaml.nodes import Node
from fanwise.definition.yaml.text import read_text
from fanwise.model import Limits

PROJECT_FILE: Final = "fanwise.yaml"

_KEYS: Final = ("store", "workflows")


class ProjectDefinition(msgspec.Struct, frozen=True):
    """The settings of a project. `store` is the store of its runs, as written, or None.

    `workflows` are patterns of the files that are its workflows, from its folder on.
    """

    store: str | None = None
    workflows: tuple[str, ...] = ()


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
    workflows = _patterns(document.children.get("workflows"), problems)
    problems.raise_any()
    return ProjectDefinition(None if found is None else found.value, workflows)


def _patterns(node: Node | None, problems: Problems) -> tuple[str, ...]:
    """The patterns that a text or a list holds; each stays within the project's folder."""
    if node is None:
        return ()
    listed = node.children if isinstance(node.children, list) else [node]
    for each in listed or [node]:
        text = each.value
        if not isinstance(text, str) or not text.strip():
            problems.add(
                each.spot,
                "bad-type",
                f'"workflows" has {shown(text)}, and takes paths of files.',
                "Write a list such as [flows/*.yaml].",
            )
        elif text.startswith(("/", "~")) or ".." in text.split("/"):
            problems.add(
                each.spot,
                "bad-value",
                f'"workflows" has {shown(text)}, which leads out of the project.',
                "Write paths from this file on, such as flows/*.yaml.",
            )
    return tuple(each.value for each in listed if isinstance(each.value, str))
