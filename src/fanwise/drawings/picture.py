"""The picture of a workflow's order: nodes and arrows with their texts, whatever the format.

A picture quotes the workflow's text only: names as they are, conditions in one line, shortened and
without control characters. Escaping is for the format that draws it. Runs and reads nothing.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from enum import Enum, auto
from itertools import pairwise
from typing import Final, NamedTuple

from fanwise.graph import IMPLICIT
from fanwise.plan import Plan, PlannedTask, Value
from fanwise.reports.plain import clean, shorten

_MAX_CONDITION: Final = 40
_CUT: Final = "..."
_START: Final = "start"
_FAIL: Final = "fail"

_sole_expression = re.compile(r"\s*\{\{[-+]?\s*(.*?)\s*[-+]?\}\}\s*", flags=re.DOTALL)


class Shape(Enum):
    """Kinds of nodes."""

    TASK = auto()
    FAN_OUT = auto()
    START = auto()
    FAIL = auto()


class Node(NamedTuple):
    """A node. `id` is a word that no other node has and no format reserves.

    `task` is the name of the task that it stands for, empty if it stands for none.
    """

    id: str
    shape: Shape
    lines: tuple[str, ...]
    task: str = ""


class Arrow(NamedTuple):
    """An arrow between the nodes of two ids."""

    source: str
    target: str
    label: str = ""


class Ending(NamedTuple):
    """The tasks under a key such as `finally`, which run one after another."""

    key: str
    nodes: tuple[Node, ...]

    @property
    def id(self) -> str:
        """A word of its own for each ending."""
        return self.key.replace("-", "_")

    @property
    def arrows(self) -> Iterator[Arrow]:
        """From each task to the next one."""
        for before, after in pairwise(self.nodes):
            yield Arrow(before.id, after.id)


class Picture(NamedTuple):
    """A whole workflow; `endings` has the tasks of its end."""

    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    endings: tuple[Ending, ...]


def draw(plan: Plan) -> Picture:
    """Draw a plan.

    The start is drawn if a task that starts with the run is led to by others as well, so that it
    can't be told from the arrows; `fail` is drawn if a transition leads to it.
    """
    graph = plan.graph
    ordered = plan.tasks[: len(graph.names)]
    nodes = [_node(plan, task) for task in ordered]
    arrows = [arrow for task in ordered for arrow in _arrows(plan, task)]
    if any(graph.incoming[number] for number in graph.starts):
        nodes.insert(0, Node(_START, Shape.START, (_START,)))
        arrows[:0] = [Arrow(_START, _id(number)) for number in sorted(graph.starts)]
    if any(arrow.target == _FAIL for arrow in arrows):
        nodes.append(Node(_FAIL, Shape.FAIL, (_FAIL,)))
    ending: dict[str, list[Node]] = {}
    for task in plan.tasks[len(graph.names) :]:
        ending.setdefault(task.path[0], []).append(_node(plan, task))
    endings = [Ending(key, tuple(listed)) for key, listed in ending.items()]
    return Picture(tuple(nodes), tuple(arrows), tuple(endings))


def _node(plan: Plan, task: PlannedTask) -> Node:
    lines = [task.name if task.items is None else f"{task.name} × items"]
    if task.when is not None:
        lines.append(f"when {shorten(_condition(task.when), _MAX_CONDITION)}")
    graph = plan.graph
    join = graph.joins.get(task.number)
    if join is not None and len(graph.incoming[task.number]) > 1:
        lines.append(f"join {'all' if join == len(graph.incoming[task.number]) else join}")
    shape = Shape.TASK if task.items is None else Shape.FAN_OUT
    return Node(_id(task.number), shape, tuple(lines), task.name)


def _arrows(plan: Plan, task: PlannedTask) -> Iterator[Arrow]:
    """The arrows that leave a task. One without a label is taken on success."""
    texts = ["" if each.when is None else _condition(each.when) for each in task.transitions]
    shown = short_forms(dict.fromkeys(texts))
    labels = [shown[text] for text in texts]
    for number in plan.graph.outgoing[task.number]:
        edge = plan.graph.edges[number]
        label = "" if edge.transition == IMPLICIT else labels[edge.transition]
        yield Arrow(_id(task.number), _id(edge.target), label)
    for each, label in zip(task.transitions, labels, strict=True):
        if each.fails:
            yield Arrow(_id(task.number), _FAIL, label)


def _condition(value: Value) -> str:
    if value.is_constant:
        return "true" if value.raw else "false"
    text = str(value.raw)
    sole = _sole_expression.fullmatch(text) if value.templates[0].is_expression else None
    return clean(sole[1] if sole else text)


def short_forms(texts: Collection[str]) -> dict[str, str]:
    """A form of each text by which it can be told from the others, short if there is a way."""
    shown = _told_apart(texts)
    counts = Counter(shown.values())
    return {text: form if counts[form] == 1 else text for text, form in shown.items()}


def _told_apart(texts: Iterable[str], start: int = 0) -> dict[str, str]:
    """A short form of each text; those that would look alike are cut where they begin to differ.

    All of them agree up to `start`.
    """
    alike: dict[str, list[str]] = {}
    for text in texts:
        rest = f"{_CUT}{text[start:]}" if start else text
        alike.setdefault(shorten(rest, _MAX_CONDITION), []).append(text)
    shown: dict[str, str] = {}
    for form, group in alike.items():
        if len(group) == 1:
            shown[group[0]] = form
        else:
            common = os.path.commonprefix(group)  # noqa: RUF071 - these are no paths
            word = common.rfind(" ") + 1
            is_near = len(common) - word <= _MAX_CONDITION // 2
            shown |= _told_apart(group, word if is_near else len(common))
    return shown


def _id(number: int) -> str:
    # A task's name won't do: Mermaid reserves words such as `end`, and finds them within others.
    return f"t{number}"
