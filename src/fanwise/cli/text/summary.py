"""The outcome of a run as lines for people. Prints nothing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from fanwise.cli.backends import is_server
from fanwise.cli.text.kinds import digest_lines, show_item
from fanwise.cli.text.output import as_json
from fanwise.cli.text.render import count, paint, show_error, table
from fanwise.cli.text.tracebacks import Tracebacks
from fanwise.model import ErrorInfo, FailedAttempt, Run, Status, TaskSummary, VisitRecord
from fanwise.reports.objects import read_error
from fanwise.reports.ownership import visit_status
from fanwise.reports.plain import clean
from fanwise.reports.progress import ItemProgress
from fanwise.units import show_span
from fanwise.values import thaw

if TYPE_CHECKING:
    from fanwise.reports.overview import Overview, Steps
    from fanwise.reports.questions import FailedItems

_MAX_TASKS = 100
_SHOWN_APART = 0.01  # of the time from start to end
_SHOWN_APART_S = 1.0  # taking a run up, and leaving it, takes some of it


def run_lines(
    seen: Overview, facts: Sequence[str] = (), *, colours: bool, width: int | None = None
) -> list[str]:
    """A run's status and duration, further facts, a table of its tasks, and its error."""
    run = seen.run
    status = paint(seen.status, seen.status) if colours else seen.status
    lines = [f"Run {run.id} of {clean(run.workflow)}  {status}{_span(run)}", *facts]
    if run.tasks:  # a run that was skipped has none
        lines += ["", *_task_lines(seen, colours=colours, width=width)]
    if run.error is not None:
        lines += ["", f"Error: {show_error(run.error)}"]
    return lines


def _span(run: Run) -> str:
    """The time for which the run was driven, and the time from its start to its end if it differs.

    Spans of which people would see the same are the same.
    """
    driven_s = run.duration_s
    if driven_s is None:
        return ""
    if run.started_at is None or run.ended_at is None:
        return f"  for {show_span(driven_s)} so far"
    passed_s = run.ended_at - run.started_at
    if passed_s - driven_s <= max(_SHOWN_APART_S, _SHOWN_APART * passed_s):
        return f"  in {show_span(passed_s)}"
    return f"  in {show_span(driven_s)}, {show_span(passed_s)} after its start"


def _task_lines(seen: Overview, *, colours: bool, width: int | None) -> list[str]:
    """A table of the tasks; of very many those that went well are left out.

    A task that was visited several times has its last visit, and the number of visits. An error
    that the run's own error quotes is left to that, which stands below.
    """
    tasks = list(seen.run.tasks.values())
    shown = tasks
    if len(tasks) > _MAX_TASKS:
        shown = [task for task in tasks if task.status is not Status.SUCCEEDED][:_MAX_TASKS]
    repeats = any(visit.visit > 1 for visit in seen.last.values())
    headings = [*("TASK", "STATUS"), *(["VISITS>"] if repeats else [])]
    headings += ["TIME>", "ITEMS>", "FAILED>", "ATTEMPTS>", "ERROR"]
    rows = [
        (
            task.name,
            seen.task_status(task.name),
            *([_visits_of(task, seen.last)] if repeats else []),
            show_span(seen.duration_s(task.name)),
            *_item_cells(seen.progress.get(task.name)),
            f"{task.attempts:,}" if task.attempts else "",
            "" if _is_quoted(task.error, seen.run.error) else show_error(task.error),
        )
        for task in shown
    ]
    lines = table(headings, rows, colours=colours, width=width)
    rest = len(tasks) - len(shown)
    return [*lines, f"and {count(rest, 'more task')}"] if rest else lines


def _is_quoted(error: ErrorInfo | None, by: ErrorInfo | None) -> bool:
    return error is not None and by is not None and f"{error.type}: {error.message}" in by.message


def _item_cells(items: ItemProgress | None) -> tuple[str, str]:
    if items is None:
        return "", ""
    return items.shown, f"{items.failed:,}"


def _visits_of(task: TaskSummary, visits: Mapping[str, VisitRecord]) -> str:
    last = visits.get(task.name)
    if last is None or (last.visit == 1 and last.started_at is None):  # it has never started
        return ""
    return f"{last.visit:,}"


def step_lines(steps: Steps, run_status: str, *, colours: bool, width: int | None) -> list[str]:
    """A table of the steps of child workflows, each set in under what it is a step of.

    `run_status` is the shown status of their run.
    """
    has_items = any(task.items is not None for task in steps.visits)
    spans = {spell.visit.visit_no: spell.span_s for spell in steps.spells}
    rows = [
        (
            "  " * task.path.count(".") + task.path.rpartition(".")[2],
            visit_status(task.status, run_status),
            show_span(spans.get(task.visit_no)),
            f"{task.visit:,}" if task.visit > 1 else "",
            *([_count_of(task, "total"), _count_of(task, "failed")] if has_items else []),
            f"{task.attempts:,}" if task.attempts else "",
            show_error(task.error),
        )
        for task in steps.visits
    ]
    headings = ["STEP", "STATUS", "TIME>", "VISIT>"]
    headings += [*(["ITEMS>", "FAILED>"] if has_items else []), "ATTEMPTS>", "ERROR"]
    return table(headings, rows, colours=colours, width=width)


def _count_of(task: VisitRecord, name: str) -> str:
    return "" if task.items is None else f"{getattr(task.items, name):,}"


def attempt_lines(name: str, earlier: Sequence[FailedAttempt]) -> list[str]:
    """A line for each failed attempt that was followed by another one."""
    return [
        f"{name} attempt {each.attempt} failed in {show_span(each.duration_s)}: "
        + show_error(ErrorInfo(each.type, each.message))
        for each in earlier
    ]


def failure_lines(
    run_id: str,
    failures: Sequence[FailedItems],
    visits: Mapping[str, VisitRecord],
    store: str | None,
    width: int | None,
) -> list[str]:
    """Digests of failed items, with how to see more, and causes of failures, also of `visits`.

    `store` is the one that the command line named, if it did.
    """
    lines: list[str] = []
    causes = Tracebacks()
    for visit in visits.values():
        if visit.error is not None:
            causes.add(visit.path, visit.error)
    for path, digest, examples in failures:
        more = command("items", run_id, path, "--status", "failed", store=store)
        lines += [
            "",
            f"{count(digest.failed, 'item')} of {path} failed:",
            *digest_lines(digest, width),
            f"More: {more}",
        ]
        for item in examples:
            if item.error is not None:
                causes.add(f"{path}{show_item(item.index, item.label)}", read_error(item.error))
    return [*lines, *causes.lines()]


def command(*words: str, store: str | None) -> str:
    """A command line of fanwise to copy. A store's password is left out."""
    return shlex.join([program(), *words, *store_words(store)])


def store_words(store: str | None) -> list[str]:
    """The words of a command line that name a store or a server; none if it has a password."""
    if not store or "@" in store or "password=" in store:
        return []
    return ["--server" if is_server(store) else "--store", store]


def program() -> str:
    """`fanwise`, or, where a shell finds no such program, the path by which it was called."""
    called = Path(sys.argv[0])
    is_path = called.name == "fanwise" and len(called.parts) > 1
    return str(called) if is_path and which("fanwise") is None else "fanwise"


def output_text(run: Run) -> str:
    """The run's output as JSON for people."""
    return as_json(thaw(run.output), pretty=True)
