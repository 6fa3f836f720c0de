"""Messages of problems: keys named by their owners, values as they are written.

Turns pydantic's findings into problems with a place and our own words. Messages quote only the
workflow's text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fanwise.definition.key_hints import hint_for
from fanwise.definition.problems import BadValueError, Problems, shown
from fanwise.definition.shorthand import TASK_LISTS
from fanwise.definition.yaml.nodes import Node

Path = tuple[str | int, ...]

_KEY = "[key]"  # How pydantic's paths end for a problem with a key of a map.

_KINDS: Final = {
    "string_type": "takes text",
    "bool_type": "takes true or false",
    "dict_type": "takes a map",
    "model_type": "takes a map",
    "tuple_type": "takes a list",
}
_SHAPES: Final = {
    "tasks": "Write a list: - name: first, then the task's keys.",
    "task": "A task is a map such as {name: hello, action: core.echo}.",
    "finally": "Write a list: - name: clean_up, then the task's keys.",
    "on-failure": "Write a list: - name: alert, then the task's keys.",
    "transition": 'A transition is a map such as {when: "{{ failed() }}", do: repair}.',
    "on-error": 'To go on elsewhere, write next: {when: "{{ failed() }}", do: repair}.',
    "retry": "Write a map such as {count: 3, delay: 1s}.",
    "dedupe": 'Write a map such as {key: "{{ parameters.order }}", for: 1d}.',
    "parameter": "A parameter is a map such as {type: string, default: hello}.",
    "on": 'Write a list such as [{name: nightly, schedule: "0 2 * * *"}].',
    "trigger": 'A trigger is a map such as {name: nightly, schedule: "0 2 * * *"}.',
    "input": 'Give each input by its name, such as {url: "{{ item.url }}"}.',
}
LOOKS_LIKE: Final = (
    "A workflow looks like this: tasks: [{name: hello, action: core.echo, input: {message: hi}}]"
)
_MISSING: Final = {
    "tasks": LOOKS_LIKE,
    "limit": "Say how many runs are driven at a time, such as concurrency: 1.",
    "key": 'Say what two runs have in common, such as key: "{{ parameters.order }}".',
    "for": "Say for how long, such as for: 1d.",
    "do": 'A transition says what follows, such as {when: "{{ failed() }}", do: repair}; to set '
    'variables whatever follows, use "publish" of the task.',
}


def subject(root: Node, path: Path) -> str:
    """What stands at `path`, such as `"timeout" of task "check"`; a name in a list is the list."""
    owner = ""
    if len(path) > 1 and path[0] in TASK_LISTS:
        owner, path = task_words(root, path[:2]), path[2:]
        if len(path) > 1 and path[0] == "next":
            owner, path = f"transition {int(path[1]) + 1} of {owner}", path[2:]
    elif len(path) > 1 and path[0] == "on":
        owner, path = trigger_words(root, path[:2]), path[2:]
    elif len(path) > 1 and path[0] == "parameters":
        owner, path = f"parameter {shown(path[1])}", path[2:]
    elif not path:
        return "the workflow"
    keys = [shown(part) for part in reversed(path) if isinstance(part, str)]
    return " of ".join([*keys, *([owner] if owner else ())])


def task_words(root: Node, path: Path) -> str:
    """A task by its name, or by its place in its list, from 1, if it has none."""
    key, index = path
    task = root.value[key][index]
    name = task.get("name") if isinstance(task, dict) else None
    if isinstance(name, str):
        return f"task {shown(name)}"
    return f"task {int(index) + 1}" if key == "tasks" else f"task {int(index) + 1} of {shown(key)}"


def trigger_words(root: Node, path: Path) -> str:
    """A trigger by its name, or by its place in the list, from 1, if it has none."""
    trigger = root.find(path)
    name = trigger.value.get("name") if trigger and isinstance(trigger.value, dict) else None
    return f"trigger {shown(name)}" if isinstance(name, str) else f"trigger {int(path[1]) + 1}"


def add_problem(error: Mapping[str, Any], root: Node, problems: Problems) -> None:
    """Note what one of pydantic's errors says."""
    path: Path = error["loc"]
    kind: str = error["type"]
    if kind == "missing":
        problems.add(
            root.value_spot(path[:-1]),
            "missing-key",
            f'{subject(root, path[:-1])} has no "{path[-1]}".',
            _MISSING.get(str(path[-1]), ""),
            last=True,
        )
    elif kind == "extra_forbidden":
        level = _level(path[:-1])
        problems.add(
            root.key_spot(path),
            "unknown-key",
            f"{shown(path[-1])} is not a key of {level}.",
            hint_for(str(path[-1]), level),
        )
    elif kind == "value_error" and path[-1] == _KEY:
        _add_name(path, error["ctx"]["error"], root, problems)
    else:
        _add_value(path, error, root, problems)


def _add_name(path: Path, error: BadValueError, root: Node, problems: Problems) -> None:
    """Note that a key that its author chose isn't a name."""
    what = "parameter" if path[0] == "parameters" else "variable"
    message = f"the name of a {what} {error}."
    problems.add(root.key_spot(path[:-1]), error.code, message, error.hint)


def _add_value(path: Path, error: Mapping[str, Any], root: Node, problems: Problems) -> None:
    spot = root.value_spot(path)
    who = "the name of a task" if _is_task_name(path) else subject(root, path)
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, BadValueError):
        problems.add(spot, cause.code, f"{who} {cause}.", cause.hint, last=True)
        return
    code = "bad-value" if cause else "bad-type"
    message = f"{who} {cause or _KINDS[error['type']]}, not {shown(error['input'])}."
    problems.add(spot, code, message, _SHAPES.get(_shape(path), ""), last=True)


def _is_task_name(path: Path) -> bool:
    return len(path) == 3 and path[0] in TASK_LISTS and path[2] == "name"


def _level(path: Path) -> str:
    """The words for the map at `path`, as `key_hints.py` knows it."""
    shape = _shape(path)
    if not shape:
        return "the workflow"
    is_element = shape in ("task", "transition", "parameter", "trigger")
    return f"a {shape}" if is_element else f'"{shape}"'


def _shape(path: Path) -> str:
    """What kind of thing stands at `path`: an element by what it is, all else by its key."""
    if len(path) == 2:
        key = str(path[0]).replace("_", "-")
        if key == "on":
            return "trigger"
        return "task" if key in TASK_LISTS else "parameter" if key == "parameters" else ""
    if len(path) == 4 and path[2] == "next":
        return "transition"
    return str(path[-1]) if path else ""


class Notes:
    """Problems of one file, noted by path as the rules between several keys find them."""

    def __init__(self, root: Node, problems: Problems) -> None:
        self._root = root
        self._problems = problems

    def subject(self, path: Path) -> str:
        """Return words for the value at `path`."""
        return subject(self._root, path)

    def spot(self, path: Path) -> tuple[int, int]:
        """Return the start of the value at `path`."""
        return self._root.value_spot(path)

    def at_key(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Note a problem with a key."""
        self._problems.add(self._root.key_spot(path), code, message, hint)

    def at_value(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Note a problem with a value, unless another one has been noted at its place."""
        self._problems.add(self._root.value_spot(path), code, message, hint, last=True)


def check_spellings(path: Path, written: Mapping[str, object], notes: Notes) -> None:
    """No key stands both with `_` and with `-`."""
    seen: dict[str, str] = {}
    for key in written:
        first = seen.setdefault(key.replace("_", "-"), key)
        if first != key:
            notes.at_key(
                (*path, key),
                "duplicate-key",
                f"{shown(key)} and {shown(first)} are the same key.",
                "Remove one of the two.",
            )


def check_twins(
    kind: str, code: str, listed: Sequence[tuple[Path, Mapping[str, object]]], notes: Notes
) -> None:
    """No two of the listed maps, which are of one kind, have the same name."""
    places: dict[str, tuple[int, int]] = {}
    for path, written in listed:
        name = written.get("name")
        if not isinstance(name, str):
            continue
        if name in places:
            line, column = places[name]
            notes.at_value(
                (*path, "name"),
                code,
                f"a {kind} named {shown(name)} is there already, at {line}:{column}.",
                f"Give each {kind} a name of its own.",
            )
        else:
            places[name] = notes.spot((*path, "name"))
