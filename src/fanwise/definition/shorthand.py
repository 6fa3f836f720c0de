"""Writes out what authors may shorten, so that rules, models and messages know one form each.

    needs: a               needs: [a]
    next: a                next: [{do: [a]}]
    next: [a, b]           next: [{do: [a, b]}]
    next: {do: a}          next: [{do: [a]}]
    enum: [a, b]           choices: [a, b]        of a parameter, as JSON Schema calls it
    concurrency: 2         concurrency: {limit: 2}    of the workflow
    on: {a: {event: b}}    on: [{name: a, event: {name: b}}]
    schedule: 0 2 * * *    schedule: {cron: 0 2 * * *}
    schedule: 5m           schedule: {every: 5m}
    signature: github      signature: {scheme: github}

A node that is put in stands at the place of what it holds. The tree that is given isn't changed;
what is no form of these stays as it is, for the models to refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fanwise.definition.literals import parse_duration
from fanwise.definition.yaml.nodes import Node
from fanwise.values import FrozenDict, FrozenList

TASK_LISTS: Final = ("tasks", "on-failure", "finally")
"""The keys of a workflow that hold tasks."""

_Change = Callable[[str | int, Node], Node]


def write_out(root: Node) -> Node:
    """The tree of a workflow without shorthand."""
    return _with_parts(root, _workflow_key)


def _workflow_key(key: str | int, value: Node) -> Node:
    if key == "parameters":
        return _with_parts(value, lambda _, parameter: _parameter(parameter))
    if key == "concurrency":
        return _limit(value)
    if key == "on":
        return _with_parts(_listed_triggers(value), lambda _, each: _trigger(each))
    return _tasks(value) if key in TASK_LISTS else value


def _listed_triggers(node: Node) -> Node:
    """The triggers as a list; those of a map have its keys as their names."""
    if not isinstance(node.children, dict):
        return node
    spots = node.keys or {}
    named = [_with_name(part, name, spots[name]) for name, part in node.children.items()]
    return Node(node.spot, FrozenList([part.value for part in named]), named)


def _with_name(trigger: Node, name: str, spot: tuple[int, int]) -> Node:
    if not isinstance(trigger.children, dict) or "name" in trigger.children:
        return trigger
    return Node(
        trigger.spot,
        FrozenDict({"name": name, **trigger.value}),
        {"name": Node(spot, name), **trigger.children},
        {"name": spot, **(trigger.keys or {})},
    )


def _trigger(node: Node) -> Node:
    """One trigger without shorthand."""
    return _with_parts(node, _trigger_key)


def _trigger_key(key: str | int, value: Node) -> Node:
    if key == "schedule" and isinstance(value.value, str):
        return _map_of("every" if _is_duration(value.value) else "cron", value)
    if key == "event" and isinstance(value.value, str):
        return _map_of("name", value)
    if key == "webhook":
        return _with_parts(
            value,
            lambda name, part: (
                _map_of("scheme", part)
                if name == "signature" and isinstance(part.value, str)
                else part
            ),
        )
    return value


def _is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


def _map_of(key: str, node: Node) -> Node:
    return Node(node.spot, FrozenDict({key: node.value}), {key: node}, {key: node.spot})


def _parameter(node: Node) -> Node:
    children = node.children
    if not isinstance(children, dict) or "enum" not in children or "choices" in children:
        return node
    named = {_choices_for_enum(key): part for key, part in children.items()}
    keys = {_choices_for_enum(key): spot for key, spot in (node.keys or {}).items()}
    values = FrozenDict({key: part.value for key, part in named.items()})
    return Node(node.spot, values, named, keys)


def _limit(node: Node) -> Node:
    if node.value is None or isinstance(node.value, dict):
        return node
    return Node(node.spot, FrozenDict(limit=node.value), {"limit": node}, {"limit": node.spot})


def _choices_for_enum(key: str) -> str:
    return "choices" if key == "enum" else key


def _tasks(tasks: Node) -> Node:
    return _with_parts(tasks, lambda _, task: _with_parts(task, _task_key))


def _task_key(key: str | int, value: Node) -> Node:
    if key == "needs":
        return _names(value)
    return _transitions(value) if key == "next" else value


def _transitions(node: Node) -> Node:
    listed = node.value if isinstance(node.value, list) else [node.value]
    if listed and all(isinstance(each, str) for each in listed):
        node = _map_of("do", node)
    if isinstance(node.value, dict):
        node = _list_of(node)
    return _with_parts(node, lambda _, transition: _with_parts(transition, _transition_key))


def _transition_key(key: str | int, value: Node) -> Node:
    return _names(value) if key == "do" else value


def _names(node: Node) -> Node:
    return _list_of(node) if isinstance(node.value, str) else node


def _list_of(node: Node) -> Node:
    return Node(node.spot, FrozenList([node.value]), [node])


def _with_parts(node: Node, change: _Change) -> Node:
    """The node with each of its parts changed; the same node if all parts stay the same."""
    children = node.children
    if isinstance(children, dict):
        named = {key: change(key, part) for key, part in children.items()}
        if all(named[key] is part for key, part in children.items()):
            return node
        values = FrozenDict({key: part.value for key, part in named.items()})
        return Node(node.spot, values, named, node.keys)
    if isinstance(children, list):
        listed = [change(index, part) for index, part in enumerate(children)]
        if all(new is old for new, old in zip(listed, children, strict=True)):
            return node
        return Node(node.spot, FrozenList([part.value for part in listed]), listed)
    return node
