"""`fanwise triggers fires`, `pause` and `resume`: the recorded side of a trigger."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_triggers
from fanwise.cli.text.output import as_json, has_colours, print_results, width_of
from fanwise.errors import UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.reports.trigger_rows import FireRow
    from fanwise.service.by_hand import Names

TriggerName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A trigger's name, or WORKFLOW/NAME.",
        autocompletion=complete_triggers,
    ),
]
_MOST = 1_000


def fires(
    name: TriggerName,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Fires that ended so: ran, held, skipped, replaced, missed, refused or failed.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=_MOST, help="At most so many.")
    ] = 20,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """List the fires of a trigger, the newest first, and why some made no run.

    The last thousand of each trigger are kept.
    """
    from fanwise.cli.desks import known_names, open_desk
    from fanwise.model import FireStatus

    known = [each.value for each in FireStatus]
    for each in status or ():
        if each not in known:
            raise UsageError(f'no fire ends as "{each}".', hint=f"There are {', '.join(known)}.")
    desk = open_desk(store)
    statuses = [FireStatus(each) for each in status or ()]
    found = desk.fires(known_names(desk, name), statuses, limit)
    print_results([as_json(each) for each in found] if json else _lines(found))


def pause_trigger(
    name: TriggerName,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="The reason, for others to read.")
    ] = "",
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Pause a trigger: it fires no more until it is resumed. Runs that it has made go on."""
    from fanwise.cli.desks import known_names, open_desk
    from fanwise.values import is_storable

    if not is_storable(note) or len(note) > _MOST:
        raise UsageError(f"--note takes a text of at most {_MOST:,} characters.")
    desk = open_desk(store)
    names = known_names(desk, name)
    desk.pause(names, note)
    _report(names, "is paused", json=json)


def resume_trigger(
    name: TriggerName,
    catch_up: Annotated[
        bool,
        typer.Option("--catch-up", help="Treat the times of the pause as missed, by catch-up."),
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="now",
            help="Count from now on, also if the trigger isn't paused: the clock was ahead.",
        ),
    ] = None,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Resume a trigger: it counts from now, and what a pause has left out stays left out."""
    from fanwise.cli.desks import known_names, open_desk

    if start not in (None, "now") or (start and catch_up):
        raise UsageError(
            "--from takes now, and --catch-up doesn't stand beside it.",
            hint="Make the runs of past times with: fanwise backfill",
        )
    desk = open_desk(store)
    names = known_names(desk, name)
    if start:
        desk.pause(names, "")  # what is resumed counts from then on
    was_paused = desk.resume(names, catches_up=catch_up)
    _report(names, "is resumed" if was_paused else "wasn't paused", json=json)


def _report(names: Names, what: str, *, json: bool) -> None:
    if json:
        print_results([as_json({"workflow": names[0], "trigger": names[1], "done": what})])
    else:
        print_results([f"Trigger {clean('/'.join(names))} {what}."])


def _lines(found: Sequence[FireRow]) -> list[str]:
    from fanwise.cli.text.render import table

    if not found:
        return ["No fires."]
    rows = [
        (each.at, f"{each.n:,}", each.status, each.run_id or "", clean(each.reason or ""))
        for each in found
    ]
    headings = ["AT", "N>", "STATUS", "RUN", "REASON"]
    return table(headings, rows, colours=has_colours(sys.stdout), width=width_of(sys.stdout))
