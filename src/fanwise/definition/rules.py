"""Rules between several keys or several tasks; those of single values are in `kinds.py`.

Reads the tree rather than the models, so that these problems are found also in a file that has
others. Whether the names in it exist, and what follows what, is for the plan to find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fanwise.definition.accepted import NUMBERS, Accepted
from fanwise.definition.item_rules import check_items
from fanwise.definition.literals import TYPES, fits_type
from fanwise.definition.messages import Notes, Path, check_spellings, check_twins
from fanwise.definition.order_rules import check_order
from fanwise.definition.problems import Problems, shown
from fanwise.definition.shorthand import TASK_LISTS
from fanwise.definition.trigger_rules import check_triggers
from fanwise.definition.yaml.nodes import Node
from fanwise.patterns import compiled


def check_rules(root: Node, problems: Problems) -> None:
    """Note what breaks a rule anywhere in the workflow, whose shorthand is written out."""
    notes = Notes(root, problems)
    workflow = root.value
    check_spellings((), workflow, notes)
    if isinstance(workflow.get("concurrency"), dict):
        check_spellings(("concurrency",), workflow["concurrency"], notes)
    tasks: list[tuple[Path, dict[str, Any]]] = [
        ((key, index), task)
        for key, listed in workflow.items()
        if key.replace("_", "-") in TASK_LISTS and isinstance(listed, list)
        for index, task in enumerate(listed)
        if isinstance(task, dict)
    ]
    check_twins("task", "duplicate-task", tasks, notes)
    for path, task in tasks:
        _check_task(path, task, notes)
    check_triggers(workflow.get("on"), notes)
    parameters = workflow.get("parameters")
    if isinstance(parameters, dict):
        for name, parameter in parameters.items():
            if isinstance(parameter, dict):
                _check_parameter(("parameters", name), parameter, notes)


def _check_task(path: Path, task: dict[str, Any], notes: Notes) -> None:
    check_spellings(path, task, notes)
    if isinstance(task.get("retry"), dict):
        check_spellings((*path, "retry"), task["retry"], notes)
    spellings = {key.replace("_", "-"): key for key in task}
    check_items(path, task, spellings, notes)
    check_order(path, task, spellings, notes)


def _check_parameter(path: Path, parameter: dict[str, Any], notes: Notes) -> None:
    """A default is of the declared type, and stands where one can be used."""
    check_spellings(path, parameter, notes)
    secret, declared = parameter.get("secret") is True, parameter.get("type")
    who = notes.subject(path)
    if secret and declared in TYPES and declared != "string":
        notes.at_value(
            (*path, "type"),
            "conflicting-keys",
            f'{who} is secret, and only text can be masked, so its type isn\'t "{declared}".',
            "Declare it as string.",
        )
    accepted = _check_bounds(path, parameter, notes)
    if "default" not in parameter:
        return
    default = parameter["default"]
    if secret or parameter.get("required") is True:
        why, hint = "is required, so its default is never used", "Remove one of the two."
        if secret:
            why, hint = "is secret, and a workflow's text is recorded", "Give it to each run."
        notes.at_key((*path, "default"), "conflicting-keys", f"{who} {why}.", hint)
    elif declared in TYPES and default is not None and not fits_type(default, declared):
        notes.at_value(
            (*path, "default"),
            "bad-value",
            f"the default of {who} is {shown(default)}, and its type is {declared}.",
            "Change one of the two.",
        )
    elif not accepted.fits(default):
        notes.at_value(
            (*path, "default"),
            "bad-value",
            f"the default of {who} is {shown(default)}, and it takes {accepted.words}.",
            "Change one of the two.",
        )


def _pattern(parameter: Mapping[str, object]) -> str | None:
    """The parameter's pattern, or None if there is none, or a faulty one."""
    pattern = parameter.get("pattern")
    if not isinstance(pattern, str):
        return None
    with suppress(ValueError):
        compiled(pattern)
        return pattern
    return None


def _check_bounds(path: Path, parameter: Mapping[str, object], notes: Notes) -> Accepted:
    """Choices are of the declared type, bounds those of numbers, and patterns those of texts.

    Gives what holds.
    """
    declared, choices = parameter.get("type"), parameter.get("choices")
    kind = declared if isinstance(declared, str) and declared in TYPES else None
    if parameter.get("secret") is True:
        kind = "string"  # only text can be masked
    who = notes.subject(path)
    bounds: dict[str, float] = {}
    for key in ("minimum", "maximum"):
        value = parameter.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            bounds[key] = value
        if key in parameter and kind not in NUMBERS:
            notes.at_key(
                (*path, key),
                "conflicting-keys",
                f"{who} has a {key}, and isn't declared as a number.",
                "Declare it as integer or number.",
            )
    if len(bounds) == 2 and bounds["minimum"] > bounds["maximum"]:
        text = f"the minimum of {who} is greater than its maximum."
        notes.at_value((*path, "minimum"), "bad-value", text, "Change one of the two.")
        bounds = {}
    if "pattern" in parameter and kind != "string":
        notes.at_key(
            (*path, "pattern"),
            "conflicting-keys",
            f"{who} has a pattern, and isn't declared as text.",
            "Declare it as string.",
        )
    if kind == "string":
        accepted = Accepted(kind, pattern=_pattern(parameter))
    else:
        held = bounds if kind in NUMBERS else {}
        accepted = Accepted(kind, None, held.get("minimum"), held.get("maximum"))
    if not isinstance(choices, list) or not choices:
        return accepted
    for at, choice in enumerate(choices):
        if not accepted.fits(choice):
            notes.at_value(
                (*path, "choices", at),
                "bad-value",
                f"a choice of {who} is {shown(choice)}, and it takes {accepted.words}.",
                "Change one of the two.",
            )
    return Accepted(kind, choices)
