"""`fanwise triggers`: lists what starts runs, and when schedules fire next."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.errors import WRONG
from fanwise.cli.text.output import as_json, has_colours, print_results, say, width_of
from fanwise.errors import StoreError, UsageError
from fanwise.reports.plain import clean, clean_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.cli.desks import TriggerDesk
    from fanwise.reports.trigger_rows import TriggerRow
    from fanwise.triggers.preview import Upcoming

_MOST = 1_000
_WARNED = 1
_MOST_NAMED = 10
_KEPT = "A server that is up keeps what these files said before"


def triggers(
    context: typer.Context,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Tell problems, warnings and trouble alone; exit status 1 for these.",
        ),
    ] = False,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """List the triggers of a project, and when each fires.

    They are those of its workflows and of its triggers.yaml. Exit status: 0 all are good, 2 a file
    is wrong; the others are listed.
    """
    if context.invoked_subcommand is not None:
        return
    from fanwise.cli.desks import open_desk

    desk = open_desk(store)
    listed = desk.listed()
    for problem in listed.problems:
        say(clean_lines(problem))
    if listed.problems and not check:
        say(clean(_still_served(desk, listed.triggers)))
    if check:
        for place, told in (each.split("  ", 1) for each in listed.warnings):
            say(clean_lines(f"{place}  warning {told}"))
    troubled = [each for each in listed.triggers if each.trouble]
    for each in troubled if check or not json else ():
        say(f"{clean(each.place)}  {clean(each.trouble or '')}")
    if json:
        print_results([as_json(listed)])
    elif not check:
        print_results(_lines(listed.triggers))
    if listed.problems:
        raise typer.Exit(WRONG)
    if check and (listed.warnings or troubled):
        raise typer.Exit(_WARNED)


def _still_served(desk: TriggerDesk, listed: Sequence[TriggerRow]) -> str:
    """A line on what runs of the files that are wrong."""
    with suppress(StoreError):  # as the list has told
        names = set(desk.recorded()) - {(each.workflow, each.trigger) for each in listed}
        if names:
            left = ", ".join(["/".join(each) for each in sorted(names)][:_MOST_NAMED])
            more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
            return f"{_KEPT}; recorded, and not in the list: {left}{more}."
    return f"{_KEPT}."


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


def _lines(triggers: Sequence[TriggerRow]) -> list[str]:
    from fanwise.cli.text.render import table

    if not triggers:
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
        for each in triggers
    ]
    headings = ["WORKFLOW", "TRIGGER", "KIND", "NEXT", "LAST", "PLACE"]
    return table(headings, rows, colours=has_colours(sys.stdout), width=width_of(sys.stdout))
