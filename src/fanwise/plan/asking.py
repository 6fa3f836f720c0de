"""The tasks that ask, found by the paths of their questions before these are asked. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from fanwise.plan.model import Plan, PlannedTask
from fanwise.plan.questions import Question, new_question

_STEP: Final = re.compile(r"(?P<name>[^#\[\]]+)(#[1-9]\d*)?(?P<index>\[\d+\])?")
_ASK: Final = "core.ask"


class _Decisive(msgspec.Struct, frozen=True):
    """The inputs of `core.ask` by which an answer fits its question or not."""

    options: list[str] | None = None
    answer: dict[str, object] | None = None
    who: str | list[str] | None = None
    not_starter: bool = False


def asking_task(plan: Plan, path: str) -> PlannedTask | None:
    """The task whose question is asked at a path such as `check[3].approve`, or None."""
    *callers, last = path.split(".")
    for step in callers:
        caller = _task_at(plan, step)
        if caller is None or caller.spec.workflow is None:
            return None
        plan = caller.spec.workflow()
    task = _task_at(plan, last)
    return task if task is not None and task.spec.name == _ASK else None


def asking_paths(plan: Plan) -> list[str]:
    """The paths of questions that the workflow's own tasks may ask, each of its first item."""
    return [
        task.name if task.items is None else f"{task.name}[0]"
        for task in plan.tasks
        if task.spec.name == _ASK
    ]


def foreseen_question(task: PlannedTask) -> Question | None:
    """The question that a task will ask, without its texts; None if it can't be told yet."""
    names = _Decisive.__struct_fields__
    given = {entry.name: entry.value for entry in task.inputs if entry.name in names}
    if not all(value.is_constant for value in given.values()):
        return None
    raw = msgspec.convert({name: value.raw for name, value in given.items()}, _Decisive)
    return new_question(
        options=raw.options, answer=raw.answer, who=raw.who, not_starter=raw.not_starter
    )


def _task_at(plan: Plan, step: str) -> PlannedTask | None:
    """The task of a step of a path, which has an index if the task has items."""
    found = _STEP.fullmatch(step)
    number = None if found is None else plan.numbers.get(found["name"])
    if found is None or number is None:
        return None
    task = plan.tasks[number]
    return task if (task.items is None) == (found["index"] is None) else None
