"""`fanwise trigger` and `fanwise backfill`: fires by hand, now and for times of the past."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.commands.fires import TriggerName
from fanwise.cli.text.output import as_json, print_results, say
from fanwise.errors import UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.reports.trigger_rows import Fired
    from fanwise.service.by_hand import Names
    from fanwise.values import Json, JsonObject

_UNMADE = 1
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Tell what would be made, and make nothing.")
]


def trigger(
    name: TriggerName,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="The nominal time, in UTC without an offset, else now."
        ),
    ] = None,
    event: Annotated[
        Path | None,
        typer.Option(
            "--event",
            metavar="FILE",
            help="JSON that stands for trigger.event; of a batch, a list.",
        ),
    ] = None,
    overlap: Annotated[
        bool, typer.Option("--overlap", help="Obey the trigger's overlap if a run of it is open.")
    ] = False,
    dry_run: _DryRun = False,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Fire a trigger by hand.

    It records a run with the parameters that the trigger gives, although the trigger is paused or a
    run of it is open. Its next time stays as it is.

    Exit status: 0 it has fired, 1 its `when`, its overlap or a limit makes no run, 2 it can't fire.
    """
    from fanwise.cli.desks import open_desk, own_names
    from fanwise.model import FireStatus

    desk = open_desk(store)
    names = own_names(desk, name)
    nominal = None if at is None else _read_time(at, "--at")
    fired = desk.fire(names, nominal, _read_event(event), overlaps=not overlap, dry_run=dry_run)
    if fired is None:
        say(f"{clean(desk.places[names])}  its `when` doesn't hold, so no run is made.")
        raise typer.Exit(_UNMADE)
    if dry_run:
        _preview(names, fired, json=json)
        return
    if json or not fired.reason:
        _report(names, fired.runs, json=json)
    else:
        say(f"{clean(desk.places[names])}  no run is made now: {clean(fired.reason)}.")
    if fired.status not in (FireStatus.RAN.value, FireStatus.HELD.value):
        raise typer.Exit(_UNMADE)


def backfill(
    name: TriggerName,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="The first time, in UTC.")],
    end: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The time before which it ends, in UTC.")
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Make runs of the times that have one as well.")
    ] = False,
    at_once: Annotated[
        int,
        typer.Option(
            "--at-once", metavar="N", min=1, help="The number of them that are driven at a time."
        ),
    ] = 1,
    dry_run: _DryRun = False,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Record runs for past times of a schedule that have none.

    The oldest comes first. Times that were skipped or missed count as well. Each time gets one run,
    however often this is called, unless it is wanted --again. They have the priority -10, so others
    are taken first. A workflow with a limit on its runs keeps that.

    Exit status: 0 all are made, 1 too many runs wait already, or one would be a repeat: call it
    again later, 2 a time or the trigger is wrong.
    """
    from fanwise.cli.desks import open_desk, own_names
    from fanwise.service.by_hand import Backfill

    desk = open_desk(store)
    names = own_names(desk, name)
    span = _read_time(start, "--from"), _read_time(end, "--to")
    if span[1] > time.time():
        raise UsageError(
            "--to lies in the future.",
            hint="The schedule itself fires then: choose an earlier one.",
        )
    done = desk.backfill(names, Backfill(*span, again, at_once), dry_run=dry_run)
    if done.reason:
        left = len(done.instants) - len(done.runs)
        print_results([as_json(_made(names, done.runs))] if json else done.runs)
        say(f"{clean(desk.places[names])}  {left:,} times have no run: {clean(done.reason)}.")
        raise typer.Exit(_UNMADE)
    if not dry_run:
        _report(names, done.runs, json=json, unmade="no time of the span is without one")
    elif json:
        print_results([as_json({"instants": done.instants})])
    else:
        print_results(done.instants or ["No time without a run."])


def _read_time(text: str, option: str) -> int:
    from fanwise.triggers.written import read_time

    try:
        return read_time(text, "UTC")
    except ValueError:
        raise UsageError(
            f"{option} takes a time such as 2026-03-28 or 2026-03-28T08:00+01:00.",
            hint="Without an offset it is in UTC.",
        ) from None


def _read_event(file: Path | None) -> Json:
    from fanwise.values import decode

    if file is None:
        return None
    try:
        found: Json = decode(file.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{file}  can't be read: {error.strerror}.", hint="Name a file with the event as JSON."
        ) from None
    except ValueError:
        raise UsageError(f"{file}  isn't JSON.", hint='Write for example {"id": "a1"}.') from None
    return found


def _preview(names: Names, fired: Fired, *, json: bool) -> None:
    if json:
        print_results([as_json({"trigger": fired.trigger, "parameters": fired.parameters})])
        return
    print_results([f"A run of {clean(names[0])} would be made."])
    given = fired.parameters.items()
    print_results([f"{clean(name)}: {as_json(value)}" for name, value in given])


def _report(
    names: Names, made: Sequence[str], *, json: bool, unmade: str = "there is one already"
) -> None:
    if json:
        print_results([as_json(_made(names, made))])
        return
    print_results(made)
    if not made:
        say(f"No run was made: {unmade}.")


def _made(names: Names, made: Sequence[str]) -> JsonObject:
    return {"workflow": names[0], "trigger": names[1], "runs": list(made)}
