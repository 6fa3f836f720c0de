"""The preview of `fanwise run --dry-run`: a run's values and its tasks, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from fanwise.cli.text.output import as_json
from fanwise.preview import ItemsPreview, RunPreview, TaskPreview
from fanwise.reports.plain import clean, shorten
from fanwise.units import show_bytes

_WIDTH = 200


def dry_run_lines(preview: RunPreview) -> Iterator[str]:
    """The lines of a preview. Each value is in one line, and cut off if it is very long."""
    yield f"Dry run of {clean(preview.workflow)}: nothing is called and nothing is recorded."
    for title, values in (("parameters", preview.parameters), ("vars", preview.vars)):
        if values:
            yield ""
            yield f"{title}:"
            yield from (f"  {clean(name)}: {_shown(value)}" for name, value in values.items())
    yield from (f"problem: {clean(problem)}" for problem in preview.problems)
    for task in preview.tasks:
        yield ""
        yield from _task_lines(task)


def _task_lines(task: TaskPreview) -> Iterator[str]:
    yield f"{task.name}: {clean(task.action)}, {_place(task)}"
    if task.when is not True:
        yield f"  when: {_written(task.when)}"
    if task.items is not None:
        yield from _item_lines(task.items)
    if task.snapshot_bytes is not None:
        size = show_bytes(task.snapshot_bytes)
        yield f"  executor: {task.executor}, with {size} of the context that is known by now"
    if task.input:
        yield "  input:"
        for name, value in task.input.items():
            shown = _written(value) if name in task.pending else _shown(value)
            yield f"    {clean(name)}: {shown}"
    yield from (f"  problem: {clean(problem)}" for problem in task.problems)


def _place(task: TaskPreview) -> str:
    if task.is_on_failure:
        return "at the end, if the run has failed"
    if task.is_finally:
        return "at the end"
    return f"after {', '.join(task.after)}" if task.after else "at the start"


def _item_lines(items: ItemsPreview) -> Iterator[str]:
    yield f"  with-items: {_written(items.written)}"
    yield f"  items: {'not known yet' if items.total is None else f'{items.total:,}'}"
    if items.first is not UNSET:
        yield f"  first item: {_shown(items.first)}"


def _shown(value: object) -> str:
    """A value as JSON, so that a text has quotes."""
    return shorten(as_json(value), _WIDTH)


def _written(value: object) -> str:
    """The text of the workflow; a template has no quotes."""
    return shorten(value, _WIDTH) if isinstance(value, str) else _shown(value)
