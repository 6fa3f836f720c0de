"""`fanwise show`: shows a run as it is recorded, and where its time went."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, has_colours, print_results, width_of
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from fanwise.definition import WorkflowDefinition
    from fanwise.model import OpenWait, RunRecord, Submission, VisitRecord
    from fanwise.ports import Records
    from fanwise.reports.overview import Overview
    from fanwise.reports.ownership import Runs
    from fanwise.values import JsonObject

_MAX_STEPS = 200
_MAX_WAITS = 20
_PIPE_WIDTH = 100

_Timeline = Annotated[
    bool, typer.Option("--timeline", help="Draw the tasks over time, a line for each visit.")
]
_Svg = Annotated[
    bool, typer.Option("--svg", help="With --timeline: draw a picture in SVG, for a browser.")
]
_Follow = Annotated[
    bool,
    typer.Option("--follow", help="Watch the run first, until it ends or is paused."),
]


def show(
    run_id: options.RunId,
    within: options.Within = None,
    timeline: _Timeline = False,
    svg: _Svg = False,
    follow: _Follow = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Show what is recorded of a run, and where its time went.

    With --json a run is one object; with --within or --timeline each visit of a task is a line.
    """
    from fanwise.errors import UsageError
    from fanwise.reports.lookup import find_run, find_steps, recorded_definition, task_names
    from fanwise.reports.objects import step_object
    from fanwise.reports.overview import overview
    from fanwise.wiring import open_records, read_settings, runs_of

    if svg and (json or not timeline):
        raise UsageError("--svg draws a timeline.", hint="Use: fanwise show RUN --timeline --svg")
    settings = read_settings(store=store)
    with open_records(settings) as records:
        runs = runs_of(records)
        record = find_run(records, run_id)
        definition = recorded_definition(record, settings.limits)
        if follow:
            from fanwise.cli.live.follow import follow as watch

            record = watch(runs, records, record, definition)
        names = () if definition is None else task_names(definition)
        seen = overview(runs, record, names, time.time())
        if within is None and not timeline:
            waits = records.waits_open(run_no=record.run_no, limit=_MAX_WAITS)
            wake_at = records.wake_at(record.run_no)
            if json:
                print_results([as_json(_as_object(runs, seen, definition, waits, wake_at))])
            else:
                _print_run(runs, seen, definition, waits, wake_at, store)
            return
        visits = seen.visits if within is None else find_steps(records, record, within)
        if json:
            print_results(as_json(step_object(visit, seen.status)) for visit in visits)
        elif svg:
            print_results([_picture(records, seen, visits, definition, within)])
        elif timeline:
            print_results(_timeline(records, seen, visits))
        else:
            _print_steps(records, seen, visits, store)


def _print_steps(
    records: Records, seen: Overview, visits: Sequence[VisitRecord], store: str | None
) -> None:
    from fanwise.cli.text.summary import failure_lines, step_lines
    from fanwise.reports.lookup import last_visits

    colours, width = has_colours(sys.stdout), width_of(sys.stdout)
    spans = _spans(records, seen, visits)
    print_results(step_lines(visits, seen.status, spans, colours=colours, width=width))
    print_results(_attempt_lines(visits))
    print_results(failure_lines(records, seen, last_visits(visits), store, width))


def _as_object(
    runs: Runs,
    seen: Overview,
    definition: WorkflowDefinition | None,
    waits: Sequence[OpenWait],
    wake_at: float | None,
) -> JsonObject:
    from fanwise.reports.objects import (
        iso_time,
        place_object,
        run_object,
        timing_object,
        wait_object,
    )
    from fanwise.reports.overview import time_of
    from fanwise.values import decode

    timing = time_of(runs, seen, definition)
    return run_object(seen) | {
        "file": seen.record.file,
        "parameters": decode(seen.record.parameters),
        "tags": seen.record.tags,
        "waits": [wait_object(each) for each in waits],
        "wake_at": iso_time(wake_at),
        "timing": None if timing is None else timing_object(timing),
        "trigger": dict(seen.record.origin.trigger) or None,
        **place_object(runs.submission(seen.record)),
    }


def _print_run(
    runs: Runs,
    seen: Overview,
    definition: WorkflowDefinition | None,
    waits: Sequence[OpenWait],
    wake_at: float | None,
    store: str | None,
) -> None:
    from fanwise.cli.text.summary import failure_lines, output_text, run_lines, step_lines
    from fanwise.cli.text.timing_lines import timing_lines
    from fanwise.reports.lookup import last_visits, tree
    from fanwise.reports.overview import time_of

    records, record = runs.records, seen.record
    colours, width = has_colours(sys.stdout), width_of(sys.stdout)
    place = runs.submission(record)
    facts = [*_driver_lines(seen, place, wake_at, store), *_wait_lines(waits)]
    facts += [*_place_lines(place), *_fact_lines(record)]
    print_results(run_lines(seen, facts, colours=colours, width=width))
    steps = tree(records, record.run_no, seen.last.values(), _MAX_STEPS)
    if any("." in step.path for step in steps):
        spans = _spans(records, seen, steps)
        print_results(["", *step_lines(steps, seen.status, spans, colours=colours, width=width)])
    timing = time_of(runs, seen, definition)
    if timing is not None and (len(seen.last) > 1 or timing.tasks[0].items):
        print_results(["", *timing_lines(timing, width)])
    shown = {**seen.last, **last_visits(steps)}
    print_results(_attempt_lines(shown.values()))
    print_results(failure_lines(records, seen, shown, store, width))
    if seen.run.output is not None:
        print_results(["", "Output:", output_text(seen.run)])


def _driver_lines(
    seen: Overview, place: Submission | None, wake_at: float | None, store: str | None
) -> list[str]:
    """The process that drives the run, or the way to resume a run that none drives."""
    from fanwise.cli.text.render import show_time
    from fanwise.cli.text.summary import command
    from fanwise.model import INTERRUPTED, Status

    if place is not None and place.is_waiting:
        since, limit = show_time(place.since), seen.record.origin.limit
        if place.is_held_back and limit is not None:
            return [f"Waits in its queue since {since}, for a slot: {clean(limit.words)}"]
        return [f"Waits in its queue since {since}, for a `fanwise work`"]
    way_on = command("resume", seen.record.id, store=store)
    if seen.status == INTERRUPTED:
        return [f"Interrupted: no process drives it any more. Resume with: {way_on}"]
    if seen.status == Status.WAITING and wake_at is not None:
        return [f"Sleeps until {show_time(wake_at)}; a `fanwise work` resumes it then"]
    if seen.status == Status.WAITING:
        return [f"Waiting: resume with: {way_on}, once it has what it waits for"]
    if seen.status == Status.PAUSED:
        return [f"Paused: resume with: {way_on}"]
    if (driver := seen.driver) is None:
        return []
    asked = f", and asked to {' and '.join(driver.requests)}" if driver.requests else ""
    return [f"Driven by: {driver.owner.name}{asked}"]


def _wait_lines(waits: Sequence[OpenWait]) -> list[str]:
    """The questions and signals that the run waits for."""
    from fanwise.cli.text.render import show_time
    from fanwise.reports.plain import shorten
    from fanwise.reports.waits import options_of, what_for

    lines = []
    for wait in (each.wait for each in waits):
        until = "" if wait.deadline is None else f" until {show_time(wait.deadline)}"
        options = " or ".join(options_of(wait))
        choices = f" ({clean(options)})" if options else ""
        lines.append(f"Waits at {wait.path}{until}: {shorten(what_for(wait))}{choices}")
    return lines


def _place_lines(place: Submission | None) -> list[str]:
    """The run's queue, and what became of its tries."""
    if place is None:
        return []
    lines = [f"Queue: {clean(place.queue)}, priority {place.priority}"]
    if place.why:
        lines.append(f"Was put back: {clean(place.why)}")
    if place.tries:
        lines.append(f"Tries without progress: {place.tries}")
    return lines


def _picture(
    records: Records,
    seen: Overview,
    visits: Sequence[VisitRecord],
    definition: WorkflowDefinition | None,
    within: str | None,
) -> str:
    """The timeline of a run, or of the steps of a child workflow, as a file in SVG."""
    from fanwise.drawings.of_runs import run_timeline, steps_timeline
    from fanwise.drawings.svg import document
    from fanwise.reports.overview import timed

    if within is None:
        return document(run_timeline(seen, definition))
    return document(steps_timeline(seen, *timed(records, seen, visits)))


def _spans(records: Records, seen: Overview, visits: Sequence[VisitRecord]) -> Mapping[int, float]:
    """The seconds for which visits were driven, by their numbers."""
    from fanwise.reports.overview import spells_of

    return {spell.visit.visit_no: spell.span_s for spell in spells_of(records, seen, visits)}


def _timeline(records: Records, seen: Overview, visits: Sequence[VisitRecord]) -> list[str]:
    from fanwise.cli.text.timeline import ASCII, BLOCKS, timeline_lines
    from fanwise.reports.overview import timed

    if seen.sessions is None:
        return ["No task has started."]
    found, progress = timed(records, seen, visits)
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return timeline_lines(
        [spell.at(seen.sessions.before) for spell in found],
        len(visits) - len(found),
        progress,
        run_status=seen.status,
        width=width_of(sys.stdout) or _PIPE_WIDTH,
        marks=BLOCKS if is_unicode else ASCII,
        colours=has_colours(sys.stdout),
    )


def _attempt_lines(tasks: Iterable[VisitRecord]) -> list[str]:
    """The failed attempts of tasks that were tried again, under a line that is empty."""
    from fanwise.cli.text.summary import attempt_lines

    lines = [line for task in tasks for line in attempt_lines(task.path, task.earlier)]
    return ["", *lines] if lines else []


def _fact_lines(record: RunRecord) -> list[str]:
    from fanwise.cli.text.render import show_time
    from fanwise.model import Status
    from fanwise.packs.workflows import INLINE, TEXT
    from fanwise.reports.plain import shorten
    from fanwise.values import decode

    file = Path(record.file)
    if file.name in (INLINE, TEXT):
        lines = [f"File: none; given from Python in {clean(str(file.parent))}"]
    else:
        lines = [f"File: {clean(record.file)}"]
    if trigger := record.origin.trigger:
        of = clean(f"{trigger.get('workflow')}/{trigger.get('name')}")
        at = trigger.get("scheduled_at") or trigger.get("fired_at")
        lines.append(f"Trigger: {of}, {trigger.get('kind')}, {at}")
    if record.started_at is not None:
        lines.append(f"Started: {show_time(record.started_at)}")
    if record.ended_at is not None:
        end = "Paused at" if record.status is Status.PAUSED else "Ended"
        lines.append(f"{end}: {show_time(record.ended_at)}")
    if record.tags:
        lines.append(f"Tags: {' '.join(record.tags)}")
    parameters = decode(record.parameters)
    if parameters:
        lines.append("Parameters:")
        lines += [f"  {name}: {shorten(as_json(value))}" for name, value in parameters.items()]
    return lines
