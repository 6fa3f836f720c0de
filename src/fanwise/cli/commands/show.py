"""`fanwise show`: shows a run as it is recorded, and where its time went."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, has_colours, print_results, width_of
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from fanwise.definition import WorkflowDefinition
    from fanwise.model import OpenWait, RunRecord, Submission, VisitRecord
    from fanwise.reports.overview import Overview
    from fanwise.reports.questions import ShownRun, ShownSteps
    from fanwise.values import JsonObject

_MAX_SNAPSHOTS = 5
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
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Show what is recorded of a run, and where its time went.

    With --json a run is one object; with --within or --timeline each visit of a task is a line.
    """
    from fanwise.cli.backends import open_backend
    from fanwise.errors import UsageError
    from fanwise.reports.objects import step_object
    from fanwise.reports.questions import followed_run, shown_run, shown_steps

    if svg and (json or not timeline):
        raise UsageError("--svg draws a timeline.", hint="Use: fanwise show RUN --timeline --svg")
    with open_backend(store) as backend:
        if follow:
            from fanwise.cli.live.follow import follow as watch

            record = backend.ask(followed_run, run_id).record
            watch(backend, record, _definition_of(record))
        if within is None and not timeline:
            shown = backend.ask(shown_run, run_id)
            print_results([as_json(_as_object(shown))] if json else _run_lines(shown, store))
            return
        found = backend.ask(shown_steps, run_id, within)
    if json:
        status = found.seen.status
        print_results(as_json(step_object(visit, status)) for visit in found.steps.visits)
    elif svg:
        print_results([_picture(found, within)])
    elif timeline:
        print_results(_timeline(found))
    else:
        print_results(_steps_lines(found, store))


def _definition_of(record: RunRecord) -> WorkflowDefinition | None:
    from fanwise.reports.lookup import recorded_definition
    from fanwise.wiring import read_limits

    return recorded_definition(record, read_limits())


def _steps_lines(found: ShownSteps, store: str | None) -> list[str]:
    from fanwise.cli.text.summary import failure_lines, step_lines
    from fanwise.reports.lookup import last_visits

    seen, steps = found.seen, found.steps
    colours, width = has_colours(sys.stdout), width_of(sys.stdout)
    return [
        *step_lines(steps, seen.status, colours=colours, width=width),
        *_attempt_lines(steps.visits),
        *failure_lines(seen.run.id, found.failures, last_visits(steps.visits), store, width),
    ]


def _as_object(shown: ShownRun) -> JsonObject:
    from fanwise.reports.objects import (
        iso_time,
        place_object,
        run_object,
        timing_object,
        wait_object,
    )
    from fanwise.values import decode

    record = shown.seen.record
    return run_object(shown.seen) | {
        "file": record.file,
        "parameters": decode(record.parameters),
        "tags": record.tags,
        "waits": [wait_object(each) for each in shown.waits],
        "wake_at": iso_time(shown.wake_at),
        "timing": None if shown.timing is None else timing_object(shown.timing),
        "trigger": dict(record.origin.trigger) or None,
        **place_object(shown.place),
    }


def _run_lines(shown: ShownRun, store: str | None) -> list[str]:
    from fanwise.cli.text.summary import failure_lines, output_text, run_lines, step_lines
    from fanwise.cli.text.timing_lines import timing_lines

    seen, timing = shown.seen, shown.timing
    colours, width = has_colours(sys.stdout), width_of(sys.stdout)
    facts = [*_driver_lines(seen, shown.place, shown.wake_at, store), *_wait_lines(shown.waits)]
    facts += [*_place_lines(shown.place), *_fact_lines(seen.record)]
    facts += _snapshot_lines(shown.last.values())
    lines = run_lines(seen, facts, colours=colours, width=width)
    if any("." in step.path for step in shown.steps.visits):
        lines += ["", *step_lines(shown.steps, seen.status, colours=colours, width=width)]
    if timing is not None and (len(seen.last) > 1 or timing.tasks[0].items):
        lines += ["", *timing_lines(timing, width)]
    lines += _attempt_lines(shown.last.values())
    lines += failure_lines(seen.run.id, shown.failures, shown.last, store, width)
    if seen.run.output is not None:
        lines += ["", "Output:", output_text(seen.run)]
    return lines


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


def _snapshot_lines(tasks: Iterable[VisitRecord]) -> list[str]:
    """The parts of the context that went to workers elsewhere, the largest first."""
    from fanwise.units import show_bytes

    sizes = sorted((-task.snapshot_bytes, task.path) for task in tasks if task.snapshot_bytes)
    shown = [f"{clean(path)} {show_bytes(-size)}" for size, path in sizes[:_MAX_SNAPSHOTS]]
    more = f" and {len(sizes) - _MAX_SNAPSHOTS} more" if len(sizes) > _MAX_SNAPSHOTS else ""
    return [f"Context sent to each worker: {', '.join(shown)}{more}"] if shown else []


def _picture(found: ShownSteps, within: str | None) -> str:
    """The timeline of a run, or of the steps of a child workflow, as a file in SVG."""
    from fanwise.drawings.of_runs import run_timeline, steps_timeline
    from fanwise.drawings.svg import document

    seen, steps = found.seen, found.steps
    if within is None:
        return document(run_timeline(seen, _definition_of(seen.record)))
    return document(steps_timeline(seen, steps.spells, steps.progress))


def _timeline(found: ShownSteps) -> list[str]:
    from fanwise.cli.text.timeline import ASCII, BLOCKS, timeline_lines

    seen, steps = found.seen, found.steps
    if seen.sessions is None:
        return ["No task has started."]
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return timeline_lines(
        [spell.at(seen.sessions.before) for spell in steps.spells],
        len(steps.visits) - len(steps.spells),
        steps.progress,
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
