"""How problems name things: keys by their owners, values as they are written.

Turns what pydantic finds into problems with a place and our own words. Messages quote only the
workflow's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from weft.definition.keys import hint_for
from weft.definition.nodes import Node
from weft.definition.problems import BadValueError, Problems, shown

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
    "retry": "Write a map such as {count: 3, delay: 1s}.",
    "parameter": "A parameter is a map such as {type: string, default: hello}.",
    "input": 'Give each input by its name, such as {url: "{{ item.url }}"}.',
}
LOOKS_LIKE: Final = (
    "A workflow looks like this: tasks: [{name: hello, action: core.echo, input: {message: hi}}]"
)


def subject(root: Node, path: Path) -> str:
    """What stands at `path`, such as `"timeout" of task "check"`."""
    owner = ""
    if path[:1] == ("tasks",) and len(path) > 1:
        owner, path = task_words(root, path[1]), path[2:]
    elif path[:1] == ("parameters",) and len(path) > 1:
        owner, path = f"parameter {shown(path[1])}", path[2:]
    elif not path:
        return "the workflow"
    return " of ".join([*(shown(part) for part in reversed(path)), *([owner] if owner else ())])


def task_words(root: Node, index: str | int) -> str:
    """A task by its name, or by its place in the list, from 1, if it has none."""
    task = root.value["tasks"][index]
    name = task.get("name") if isinstance(task, dict) else None
    return f"task {shown(name)}" if isinstance(name, str) else f"task {int(index) + 1}"


def add_problem(error: Mapping[str, Any], root: Node, problems: Problems) -> None:
    """Note what one of pydantic's errors says."""
    path: Path = error["loc"]
    kind: str = error["type"]
    if kind == "missing":
        problems.add(
            root.value_spot(path[:-1]),
            "missing-key",
            f'{subject(root, path[:-1])} has no "{path[-1]}".',
            LOOKS_LIKE if path == ("tasks",) else "",
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
    return len(path) == 3 and path[0] == "tasks" and path[2] == "name"


def _level(path: Path) -> str:
    if not path:
        return "the workflow"
    if path[-1:] == ("retry",):
        return '"retry"'
    return {"tasks": "a task", "parameters": "a parameter"}[str(path[0])]


def _shape(path: Path) -> str:
    if len(path) == 2:
        return {"tasks": "task", "parameters": "parameter"}.get(str(path[0]), "")
    return str(path[-1]) if path else ""
