"""The outcome of a run as lines for people. Prints nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from fanwise.cli.text.kinds import digest_lines
from fanwise.cli.text.output import as_json
from fanwise.cli.text.render import count, paint, show_error, table
from fanwise.model import Run, Status, TaskSummary, VisitRecord
from fanwise.ports import Records
from fanwise.reports.kinds import digest_items
from fanwise.reports.plain import clean
from fanwise.units import show_span
from fanwise.values import thaw

_MAX_TASKS = 100


def run_lines(
    run: Run,
    visits: Mapping[str, VisitRecord],
    facts: Sequence[str] = (),
    *,
    colours: bool,
    status: str | None = None,
) -> list[str]:
    """A run's status and duration, further facts, a table of its tasks, and its error.

    `visits` has the last visit of each task that has come up. `status` is how the run's is shown,
    if not as it is recorded.
    """
    status = status or run.status
    if colours:
        status = paint(run.status, status)
    span = f"  in {show_span(run.duration_s)}" if run.duration_s is not None else ""
    lines = [f"Run {run.id} of {clean(run.workflow)}  {status}{span}", *facts, ""]
    lines += _task_lines(list(run.tasks.values()), visits, colours=colours)
    if run.error is not None:
        lines += ["", f"Error: {show_error(run.error, 1_000)}"]
    return lines


def _task_lines(
    tasks: Sequence[TaskSummary], visits: Mapping[str, VisitRecord], *, colours: bool
) -> list[str]:
    """A table of the tasks; of very many those that went well are left out.

    A task that was visited several times has its last visit, and the number of visits.
    """
    shown = tasks
    if len(tasks) > _MAX_TASKS:
        shown = [task for task in tasks if task.status is not Status.SUCCEEDED][:_MAX_TASKS]
    repeats = any(task.visit > 1 for task in visits.values())
    headings = [*("TASK", "STATUS"), *(["VISITS>"] if repeats else [])]
    headings += ["TIME>", "ITEMS>", "FAILED>", "ATTEMPTS>", "ERROR"]
    rows = [
        (
            task.name,
            task.status,
            *([_visits_of(task, visits)] if repeats else []),
            show_span(_duration_s(task)),
            f"{task.items.total:,}" if task.items else "",
            f"{task.items.failed:,}" if task.items else "",
            f"{task.attempts:,}" if task.attempts else "",
            show_error(task.error),
        )
        for task in shown
    ]
    lines = table(headings, rows, colours=colours)
    rest = len(tasks) - len(shown)
    return [*lines, f"and {count(rest, 'more task')}"] if rest else lines


def _visits_of(task: TaskSummary, visits: Mapping[str, VisitRecord]) -> str:
    last = visits.get(task.name)
    if last is None or (last.visit == 1 and last.started_at is None):  # it has never started
        return ""
    return f"{last.visit:,}"


def _duration_s(task: TaskSummary) -> float | None:
    if task.started_at is None or task.ended_at is None:
        return None
    return task.ended_at - task.started_at


def step_lines(steps: Sequence[VisitRecord], *, colours: bool) -> list[str]:
    """A table of the steps of child workflows, each set in under what it is a step of."""
    rows = [
        (
            "  " * task.path.count(".") + task.path.rpartition(".")[2],
            task.status,
            show_span(
                None
                if task.started_at is None or task.ended_at is None
                else task.ended_at - task.started_at
            ),
            f"{task.visit:,}" if task.visit > 1 else "",
            f"{task.attempts:,}" if task.attempts else "",
            show_error(task.error),
        )
        for task in steps
    ]
    return table(["STEP", "STATUS", "TIME>", "VISIT>", "ATTEMPTS>", "ERROR"], rows, colours=colours)


def failure_lines(
    records: Records, run_id: str, visits: Mapping[str, VisitRecord], store: str | None
) -> list[str]:
    """A digest for each task of which items failed, and how to see more of it.

    `store` is the one that the command line named, if it did.
    """
    lines: list[str] = []
    for task in visits.values():
        # A task that is paused or runs has no counts yet.
        if not task.has_items or (task.items is not None and not task.items.failed):
            continue
        digest = digest_items(records, task.run_no, task.visit_no)
        if digest.failed:
            more = command("items", run_id, task.path, "--status", "failed", store=store)
            lines += [
                "",
                f"{count(digest.failed, 'item')} of {task.path} failed:",
                *digest_lines(digest),
                f"More: {more}",
            ]
    return lines


def command(*words: str, store: str | None) -> str:
    """A command line of fanwise to copy. A store's password is left out."""
    is_shown = store is not None and "@" not in store and "password=" not in store
    return shlex.join(["fanwise", *words, *(["--store", store] if store and is_shown else [])])


def output_text(run: Run) -> str:
    """The run's output as JSON for people."""
    return as_json(thaw(run.output), pretty=True)
