"""`fanwise show`: shows a run as it is recorded, and where its time went."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, has_colours, print_results
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from fanwise.definition import WorkflowDefinition
    from fanwise.model import Limits, RunRecord, VisitRecord
    from fanwise.ports import Records
    from fanwise.reports.ownership import Runs
    from fanwise.reports.timing import RunTime
    from fanwise.values import JsonObject

_MAX_STEPS = 200

_Timeline = Annotated[
    bool, typer.Option("--timeline", help="Draw the tasks over time, a line for each visit.")
]


def show(
    run_id: options.RunId,
    within: options.Within = None,
    timeline: _Timeline = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Show what is recorded of a run, and where its time went.

    With --json a run is one object; with --within or --timeline each visit of a task is a line.
    """
    from fanwise.reports.lookup import find_run, find_steps
    from fanwise.wiring import open_records, read_settings, runs_of

    settings = read_settings(store=store)
    with open_records(settings) as records:
        record = find_run(records, run_id)
        if within is None and not timeline:
            _show_run(runs_of(records), record, settings.limits, store, json=json)
            return
        if within is None:
            visits: Sequence[VisitRecord] = records.tasks(record.run_no)
        else:
            visits = find_steps(records, record, within)
    _show_visits(record, visits, timeline=timeline, json=json)


def _show_visits(
    record: RunRecord, visits: Sequence[VisitRecord], *, timeline: bool, json: bool
) -> None:
    from fanwise.cli.text.summary import step_lines
    from fanwise.reports.objects import step_object

    if json:
        print_results(as_json(step_object(visit)) for visit in visits)
    elif timeline:
        print_results(_timeline(record, visits))
    else:
        print_results(step_lines(visits, colours=has_colours(sys.stdout)))
        print_results(_traceback_lines(visits))


def _show_run(
    runs: Runs, record: RunRecord, limits: Limits, store: str | None, *, json: bool
) -> None:
    from fanwise.cli.text.summary import failure_lines, output_text, run_lines, step_lines
    from fanwise.cli.text.timing_lines import timing_lines
    from fanwise.reports.lookup import as_run, last_visits, recorded_definition, tree
    from fanwise.reports.objects import run_object, timing_object
    from fanwise.values import decode

    records = runs.records
    all_visits = records.tasks(record.run_no)
    visits = last_visits(all_visits)
    definition = recorded_definition(record, limits)
    run = as_run(record, visits, definition)
    timing = _timing(records, record, all_visits, definition)
    if json:
        more: JsonObject = {
            "file": record.file,
            "parameters": decode(record.parameters),
            "tags": record.tags,
            "timing": None if timing is None else timing_object(timing),
        }
        more["status"] = runs.status(record)
        print_results([as_json(run_object(run) | more)])
        return
    colours = has_colours(sys.stdout)
    facts = [*_driver_lines(runs, record, store), *_fact_lines(record)]
    status = runs.status(record)
    print_results(run_lines(run, visits, facts, colours=colours, status=status))
    steps = tree(records, record.run_no, visits.values(), _MAX_STEPS)
    if any("." in step.path for step in steps):
        print_results(["", *step_lines(steps, colours=colours)])
    if timing is not None and (len(visits) > 1 or timing.tasks[0].items):
        print_results(["", *timing_lines(timing)])
    last_steps = last_visits(steps).values()
    print_results(failure_lines(records, record.id, visits, store, last_steps))
    if run.output is not None:
        print_results(["", "Output:", output_text(run)])


def _driver_lines(runs: Runs, record: RunRecord, store: str | None) -> list[str]:
    """The process that drives the run, or the way to resume a run that none drives."""
    from fanwise.cli.text.summary import command

    if not runs.is_open(record):
        return []
    driver = runs.driver(record)
    if driver is None:
        way_on = command("resume", record.id, store=store)
        return [f"Interrupted: no process drives it any more. Resume with: {way_on}"]
    asked = f", and asked to {' and '.join(driver.requests)}" if driver.requests else ""
    return [f"Driven by: process {driver.owner.pid} on {driver.owner.host}{asked}"]


def _timing(
    records: Records,
    record: RunRecord,
    visits: Sequence[VisitRecord],
    definition: WorkflowDefinition | None,
) -> RunTime | None:
    """The times of a run, or None if no task has started."""
    from fanwise.reports.lookup import names_before
    from fanwise.reports.timing import run_time, spells

    found = spells(visits, _until(record, visits))
    if not found or record.started_at is None:
        return None
    before = {} if definition is None else names_before(definition)
    return run_time(records, found, record.started_at, before)


def _timeline(record: RunRecord, visits: Sequence[VisitRecord]) -> list[str]:
    import shutil

    from fanwise.cli.text.timeline import ASCII, BLOCKS, timeline_lines
    from fanwise.reports.timing import spells

    found = spells(visits, _until(record, visits))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return timeline_lines(
        found,
        len(visits) - len(found),
        width=width,
        marks=BLOCKS if is_unicode else ASCII,
        colours=has_colours(sys.stdout),
    )


def _until(record: RunRecord, visits: Iterable[VisitRecord]) -> float:
    """The end of visits that haven't ended: now while the run runs, else the last recorded time."""
    from fanwise.model import Status

    if record.status is Status.RUNNING:
        return time.time()
    times = (at for visit in visits for at in (visit.started_at, visit.ended_at) if at is not None)
    return record.ended_at or max(times, default=0.0)


def _traceback_lines(tasks: Iterable[VisitRecord]) -> list[str]:
    from fanwise.cli.text.tracebacks import Tracebacks

    tracebacks = Tracebacks()
    for task in tasks:
        if task.error is not None:
            tracebacks.add(task.path, task.error)
    return tracebacks.lines()


def _fact_lines(record: RunRecord) -> list[str]:
    from fanwise.cli.text.render import shorten, show_time
    from fanwise.values import decode

    lines = [f"File: {clean(record.file)}"]
    if record.started_at is not None:
        lines.append(f"Started: {show_time(record.started_at)}")
    if record.ended_at is not None:
        lines.append(f"Ended: {show_time(record.ended_at)}")
    if record.tags:
        lines.append(f"Tags: {' '.join(record.tags)}")
    parameters = decode(record.parameters)
    if parameters:
        lines.append("Parameters:")
        lines += [f"  {name}: {shorten(as_json(value))}" for name, value in parameters.items()]
    return lines
