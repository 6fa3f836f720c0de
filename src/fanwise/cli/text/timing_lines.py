"""The times of a run as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fanwise.cli.text.kinds import show_item
from fanwise.cli.text.render import count, table
from fanwise.model import ItemTimes
from fanwise.reports.objects import MEDIAN, P95
from fanwise.reports.plain import shorten
from fanwise.reports.timing import RunTime, TaskTime
from fanwise.units import show_span

_MAX_PATH: Final = 200
_SHOWN_LEAST: Final = 0.01  # of the run: a smaller share isn't worth a word


def timing_lines(time: RunTime, width: int | None = None) -> list[str]:
    """The time of the whole run, a table of tasks, their slowest items, the critical path."""
    has_items = any(task.items for task in time.tasks)
    has_waited = any(task.waited_s for task in time.tasks)
    headings = ["TASK", "TIME>", "SHARE>", *(["WAITED>"] if has_waited else [])]
    headings += ["ITEMS/S>", "AT ONCE>", "MEDIAN>", "95 %>"] if has_items else []
    rows = [
        (
            task.path,
            show_span(task.span_s),
            f"{100 * task.span_s / time.driven_s:.0f} %" if time.driven_s else "",
            *([show_span(task.waited_s) if task.waited_s else ""] if has_waited else []),
            *(_item_cells(task) if has_items else []),
        )
        for task in time.tasks
    ]
    idle = apart = ""
    if time.idle_s is not None and time.idle_s > _SHOWN_LEAST * time.driven_s:
        idle = f", {show_span(time.idle_s)} of it without a task at work"
    if time.span_s - time.driven_s > _SHOWN_LEAST * time.span_s:
        apart = f"; for {show_span(time.span_s - time.driven_s)} more no process drove it"
    lines = [f"Where the time went: {show_span(time.driven_s)}{idle}{apart}"]
    lines += table(headings, rows, width=width)
    if time.others:
        lines.append(f"and {count(time.others, 'shorter task')}")
    lines += [
        f"Slowest of {task.path}: {_slowest(task.items)}"
        for task in time.tasks
        if task.items and task.items.slowest
    ]
    if any(task.items and task.items.is_sampled for task in time.tasks):
        lines.append("Medians and 95 % are those of a sample where there are over 20,000 items.")
    if 1 < len(set(time.critical)) < len(time.tasks) + time.others:
        path = shorten(", ".join(time.critical), _MAX_PATH)
        lines.append(f"Critical path, {show_span(time.critical_s)}: {path}")
    return lines


def _item_cells(task: TaskTime) -> Iterator[str]:
    rate, at_once = task.items_per_s, task.at_once
    yield "" if rate is None else f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}"
    yield "" if at_once is None else f"{at_once:,.1f}"
    for share in (MEDIAN, P95):
        yield show_span(task.items.quantile(share)) if task.items else ""


def _slowest(times: ItemTimes) -> str:
    return ", ".join(
        f"{show_item(item.index, item.label)} {show_span(item.duration_s)}"
        for item in times.slowest
    )
