"""Rules between several keys or several tasks; those of single values are in `schema.py`.

Reads the tree as it is written, so that these problems are found also in a file that has others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from weft.definition.literals import TYPES, fits_type, has_template, parse_count
from weft.definition.nodes import Node
from weft.definition.problems import Problems, shown
from weft.definition.wording import Path, subject

STREAMS: Final = ("jsonl", "csv", "lines", "range")
"""The keys of a `with-items` map that name a stream."""

_ITEM_KEYS: Final = ("label", "concurrency", "tolerate", "on-item-error", "keep-output")


def check_rules(root: Node, problems: Problems) -> None:
    """Note what breaks a rule anywhere in the workflow."""
    rules = _Rules(root, problems)
    rules.check_spellings((), root.value)
    tasks, parameters = root.value.get("tasks"), root.value.get("parameters")
    if isinstance(tasks, list):
        rules.check_twins(tasks)
        for index, task in enumerate(tasks):
            if isinstance(task, dict):
                rules.check_task(("tasks", index), task)
    if isinstance(parameters, dict):
        for name, parameter in parameters.items():
            if isinstance(parameter, dict):
                rules.check_parameter(("parameters", name), parameter)


class _Rules:
    """The rules, applied to one file."""

    def __init__(self, root: Node, problems: Problems) -> None:
        self._root = root
        self._problems = problems

    def check_spellings(self, path: Path, written: dict[str, Any]) -> None:
        """No key stands both with `_` and with `-`."""
        seen: dict[str, str] = {}
        for key in written:
            first = seen.setdefault(key.replace("_", "-"), key)
            if first != key:
                self._at_key(
                    (*path, key),
                    "duplicate-key",
                    f"{shown(key)} and {shown(first)} are the same key.",
                    "Remove one of the two.",
                )

    def check_twins(self, tasks: Iterable[Any]) -> None:
        """No two tasks have the same name."""
        places: dict[str, tuple[int, int]] = {}
        for index, task in enumerate(tasks):
            name = task.get("name") if isinstance(task, dict) else None
            if not isinstance(name, str):
                continue
            spot = self._root.value_spot(("tasks", index, "name"))
            if name in places:
                line, column = places[name]
                self._problems.add(
                    spot,
                    "duplicate-task",
                    f"a task named {shown(name)} is there already, at {line}:{column}.",
                    "Give each task a name of its own.",
                )
            else:
                places[name] = spot

    def check_task(self, path: Path, task: dict[str, Any]) -> None:
        """What concerns items needs items, and a map of items is of one kind."""
        self.check_spellings(path, task)
        if isinstance(task.get("retry"), dict):
            self.check_spellings((*path, "retry"), task["retry"])
        keys = {key.replace("_", "-"): key for key in task}
        if "with-items" in keys:
            items = task[keys["with-items"]]
            if isinstance(items, dict):
                self._check_items_map((*path, "with-items"), items)
            return
        for key in (keys[each] for each in _ITEM_KEYS if each in keys):
            self._at_key(
                (*path, key),
                "needs-with-items",
                f'{subject(self._root, (*path, key))} concerns items, but it has no "with-items".',
                f'Add "with-items", or remove "{key}".',
            )

    def _check_items_map(self, path: Path, items: dict[str, Any]) -> None:
        """One stream alone, or lists of the same length side by side."""
        streams = [key for key in items if key in STREAMS]
        if not items or (streams and len(items) > 1):
            what = f"has other keys beside {shown(streams[0])}" if items else "is an empty map"
            self._at_value(
                path,
                "bad-with-items",
                f"{subject(self._root, path)} {what}.",
                f"Give one of {', '.join(STREAMS)} alone, or lists under other keys.",
            )
        elif streams:
            self._check_stream((*path, streams[0]), streams[0], items[streams[0]])
        else:
            self._check_side_by_side(path, items)

    def _check_stream(self, path: Path, stream: str, value: Any) -> None:
        if isinstance(value, str) and (has_template(value) or (stream != "range" and value)):
            return
        takes = "takes the path of a file"
        if stream == "range":
            try:
                parse_count(value)
            except ValueError as error:
                takes = str(error)
            else:
                return
        self._at_value(
            path, "bad-with-items", f"{subject(self._root, path)} {takes}, not {shown(value)}."
        )

    def _check_side_by_side(self, path: Path, items: dict[str, Any]) -> None:
        lengths: dict[int, str] = {}
        for key, value in items.items():
            if isinstance(value, list):
                lengths.setdefault(len(value), key)
            elif not isinstance(value, str) or not has_template(value):
                self._at_value(
                    (*path, key),
                    "with-items-not-a-list",
                    f"{subject(self._root, (*path, key))} takes a list or a template that gives "
                    f"one, not {shown(value)}.",
                )
        if len(lengths) > 1:
            (one, a), (other, b), *_ = lengths.items()
            self._at_value(
                path,
                "bad-with-items",
                f"the lists of {subject(self._root, path)} differ in length: {shown(a)} has {one} "
                f"elements and {shown(b)} {other}.",
                "Lists side by side must be equally long.",
            )

    def check_parameter(self, path: Path, parameter: dict[str, Any]) -> None:
        """A default is of the declared type, and stands where one can be used."""
        self.check_spellings(path, parameter)
        secret, declared = parameter.get("secret") is True, parameter.get("type")
        who = subject(self._root, path)
        if secret and declared in TYPES and declared != "string":
            self._at_value(
                (*path, "type"),
                "conflicting-keys",
                f'{who} is secret, and only text can be masked, so its type isn\'t "{declared}".',
                "Declare it as string.",
            )
        if "default" not in parameter:
            return
        default = parameter["default"]
        if secret or parameter.get("required") is True:
            why, hint = "is required, so its default is never used", "Remove one of the two."
            if secret:
                why, hint = "is secret, and a workflow's text is recorded", "Give it to each run."
            self._at_key((*path, "default"), "conflicting-keys", f"{who} {why}.", hint)
        elif declared in TYPES and default is not None and not fits_type(default, declared):
            self._at_value(
                (*path, "default"),
                "bad-value",
                f"the default of {who} is {shown(default)}, and its type is {declared}.",
                "Change one of the two.",
            )

    def _at_key(self, path: Path, code: str, message: str, hint: str = "") -> None:
        self._problems.add(self._root.key_spot(path), code, message, hint)

    def _at_value(self, path: Path, code: str, message: str, hint: str = "") -> None:
        self._problems.add(self._root.value_spot(path), code, message, hint, last=True)
