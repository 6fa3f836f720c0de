"""`fanwise triggers`: lists what starts runs, and when schedules fire next."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.errors import WRONG, error_lines, warning_lines
from fanwise.cli.text.output import as_json, has_colours, print_results, say, width_of
from fanwise.errors import DefinitionError, StoreError, UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanwise.model import TriggerState
    from fanwise.packs.projects import Project
    from fanwise.reports.trigger_rows import TriggerRow
    from fanwise.triggers.preview import Upcoming
    from fanwise.wiring import Settings

    States = Mapping[tuple[str, str], TriggerState]

_MOST = 1_000
_WARNED = 1


def triggers(
    context: typer.Context,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Tell problems, warnings and trouble alone; exit status 1 for these.",
        ),
    ] = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """List the triggers of a project, and when each fires.

    They are those of its workflows and of its triggers.yaml. Exit status: 0 all are good, 2 a file
    is wrong; the others are listed.
    """
    if context.invoked_subcommand is not None:
        return
    from fanwise.wiring import load_triggers, read_settings

    settings = read_settings(store=store)
    project = load_triggers(settings, Path.cwd())
    states = _states(settings, store)
    for line in error_lines(DefinitionError(project.problems)):
        say(line)
    if check:
        for line in warning_lines(project.warnings):
            say(line)
    troubles = _trouble_lines(project, states)
    for line in troubles if check or not json else ():
        say(line)
    if json:
        print_results([as_json(_project_object(project, states))])
    elif not check:
        print_results(_project_lines(project, states))
    if project.problems:
        raise typer.Exit(WRONG)
    if check and (project.warnings or troubles):
        raise typer.Exit(_WARNED)


def _trouble_lines(project: Project, states: States) -> list[str]:
    """A line for each trigger whose folder can't be read, or that is skipped over and over."""
    return [
        f"{clean(each.place)}  {clean(each.trouble)}"
        for each in _rows(project, states)
        if each.trouble
    ]


def _states(settings: Settings, store: str | None) -> States:
    """The triggers that the store knows. The files can be listed without a store as well.

    `store` is the store as the command line names it.
    """
    from fanwise.wiring import trigger_states

    try:
        return trigger_states(settings)
    except StoreError as error:
        for line in error_lines(error, () if store is None else ("--store", store)):
            say(line)
        return {}


def following(
    file: options.WorkflowFile,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="The first time, in UTC without an offset. Default: now."
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", metavar="N", min=1, max=_MOST, help="How many. Default: 5.")
    ] = 5,
    json: options.JsonFlag = False,
) -> None:
    """Show when the schedules of a workflow fire next.

    It needs no store. Marks fires that daylight saving moves or repeats. Jitter isn't shown.
    """
    from fanwise.triggers.preview import upcoming
    from fanwise.wiring import load_plan, read_settings

    first = time.time() if start is None else _read_start(start)
    plan = load_plan(file, read_settings(), import_packs=False)
    scheduled = [
        each.scheduled
        for each in plan.triggers
        if each.scheduled is not None and each.definition.enabled
    ]
    found = upcoming(scheduled, first, count)
    if json:
        print_results([as_json([_upcoming_object(each) for each in found])])
    elif found:
        print_results(_upcoming_lines(found))
    else:
        why = "has no schedule" if not scheduled else "fires no more"
        print_results([f"{clean(str(file))}  {why}."])


def _read_start(text: str) -> int:
    from fanwise.triggers.written import read_time

    try:
        return read_time(text, "UTC")
    except ValueError:
        raise UsageError(
            "--from takes a time such as 2026-03-28 or 2026-03-28T08:00+01:00.",
            hint="Without an offset it is in UTC.",
        ) from None


def _upcoming_lines(found: Sequence[Upcoming]) -> list[str]:
    from fanwise.cli.text.render import table
    from fanwise.triggers.local_times import iso_utc

    rows = [
        (
            f"{each.local:%Y-%m-%d %H:%M:%S}",
            each.trigger.schedule.timezone,
            iso_utc(each.at),
            clean(each.trigger.name),
            _note(each),
        )
        for each in found
    ]
    return table(["LOCAL", "ZONE", "UTC", "TRIGGER", "NOTE"], rows, width=width_of(sys.stdout))


def _note(each: Upcoming) -> str:
    """Words for what daylight saving has done, such as `instead of 02:30`."""
    if each.instead_of:
        form = "%H:%M" if each.instead_of[0].date() == each.local.date() else "%Y-%m-%d %H:%M"
        return f"instead of {', '.join(time.strftime(form) for time in each.instead_of)}"
    return "for the second time: the clock went back" if each.is_second else ""


def _upcoming_object(each: Upcoming) -> dict[str, object]:
    from fanwise.triggers.local_times import iso_utc

    return {
        "workflow": each.trigger.workflow,
        "trigger": each.trigger.name,
        "at": iso_utc(each.at),
        "local": each.local.isoformat(),
        "timezone": each.trigger.schedule.timezone,
        "instead_of": [moment.isoformat() for moment in each.instead_of],
        "second_time": each.is_second,
    }


def _project_lines(project: Project, states: States) -> list[str]:
    from fanwise.cli.text.render import table

    if not project.triggers:
        return ["No triggers."]
    rows = [
        (
            clean(each.workflow),
            clean(each.trigger),
            each.kind if each.enabled else f"{each.kind}, off",
            "paused" if each.paused_at else "trouble" if each.trouble else each.next or "",
            f"{each.last_at} {each.last_status}" if each.last_at else "",
            clean(each.place),
        )
        for each in _rows(project, states)
    ]
    headings = ["WORKFLOW", "TRIGGER", "KIND", "NEXT", "LAST", "PLACE"]
    return table(headings, rows, colours=has_colours(sys.stdout), width=width_of(sys.stdout))


def _project_object(project: Project, states: States) -> dict[str, object]:
    return {
        "folder": str(project.folder),
        "triggers": [each._asdict() for each in _rows(project, states)],
        "problems": [str(each) for each in project.problems],
        "warnings": [str(each) for each in project.warnings],
    }


def _rows(project: Project, states: States) -> list[TriggerRow]:
    from fanwise.reports.trigger_rows import trigger_rows

    return trigger_rows(project.triggers, states, time.time())
