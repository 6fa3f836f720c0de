"""From the text of a project's `fanwise.yaml` to its settings, or to all of its problems at once.

Reads no files: it is given the text and the name that messages call the file by.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import msgspec

from fanwise.definition.field_types import is_name
from fanwise.definition.literals import parse_count, parse_rate
from fanwise.definition.problems import Problems, did_you_mean, shown
from fanwise.definition.yaml.composer import compose
from fanwise.definition.yaml.nodes import Node
from fanwise.definition.yaml.text import read_text
from fanwise.model import Limits, NamedLimit

_Number = TypeVar("_Number", int, float)

PROJECT_FILE: Final = "fanwise.yaml"

_KEYS: Final = ("store", "limits", "workflows", "notify")
_LIMIT_KEYS: Final = ("concurrency", "rate")
_LIKE: Final = "Write for example limits: {database: 10, vendor: {concurrency: 4, rate: 100/m}}."
_parse_most = partial(parse_count, minimum=1, maximum=100_000)


class ProjectDefinition(msgspec.Struct, frozen=True):
    """The settings of a project. `store` is the store of its runs, as written, or None.

    `limits` are those that tasks may name. `workflows` are patterns of the files that are its
    workflows, from its folder on. `notify` is the part that says who is told of failures.
    """

    store: str | None = None
    limits: tuple[NamedLimit, ...] = ()
    workflows: tuple[str, ...] = ()
    notify: Node | None = None


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
    named = _read_limits(document.children.get("limits"), problems)
    workflows = _patterns(document.children.get("workflows"), problems)
    problems.raise_any()
    notify = document.children.get("notify")
    return ProjectDefinition(None if found is None else found.value, named, workflows, notify)


def _read_limits(node: Node | None, problems: Problems) -> tuple[NamedLimit, ...]:
    if node is None:
        return ()
    if not isinstance(node.children, dict):
        text = f'"limits" is {shown(node.value)}, and takes a map of names.'
        problems.add(node.spot, "bad-type", text, _LIKE)
        return ()
    return tuple(_read_limit(node, name, part, problems) for name, part in node.children.items())


def _read_limit(owner: Node, name: str, node: Node, problems: Problems) -> NamedLimit:
    if not is_name(name):
        text = f'the name of a limit is letters, digits and "_", and not {shown(name)}.'
        problems.add(owner.key_spot((name,)), "bad-name", text)
    if not isinstance(node.children, dict):
        return NamedLimit(name, _read(node, name, _parse_most, problems))
    for key in node.children:
        if key not in _LIMIT_KEYS:
            hint = did_you_mean(key, _LIMIT_KEYS) or f"It takes {' and '.join(_LIMIT_KEYS)}."
            text = f"a limit has no key {shown(key)}."
            problems.add(node.key_spot((key,)), "unknown-key", text, hint)
    if not node.children:
        problems.add(node.spot, "bad-value", f'the limit "{name}" bounds nothing.', _LIKE)
    most, rate = (node.children.get(key) for key in _LIMIT_KEYS)
    return NamedLimit(
        name,
        None if most is None else _read(most, f"{name}.concurrency", _parse_most, problems),
        None if rate is None else _read(rate, f"{name}.rate", parse_rate, problems),
    )


def _read(
    node: Node, name: str, parse: Callable[[object], _Number], problems: Problems
) -> _Number | None:
    try:
        return parse(node.value)
    except ValueError as error:
        problems.add(node.spot, "bad-value", f'the limit "{name}" {error}.', _LIKE)
        return None


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
