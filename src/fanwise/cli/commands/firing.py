"""`fanwise trigger` and `fanwise backfill`: fires by hand, now and for times of the past."""

from __future__ import annotations

import getpass
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

    from fanwise.engine.triggered import TriggeredRuns
    from fanwise.plan.project_triggers import Owned
    from fanwise.values import FrozenDict, Json
    from fanwise.wiring import Settings

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
    dry_run: _DryRun = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Fire a trigger by hand.

    It records a run with the parameters that the trigger gives, although the trigger is paused or a
    run of it is open. Its next time stays as it is.

    Exit status: 0 it has fired, 1 its `when` doesn't hold, 2 it can't fire.
    """
    from fanwise.service.by_hand import manual_facts, manual_turn
    from fanwise.wiring import new_token, open_or_make, read_settings

    settings = read_settings(store=store)
    owned, runs = _find(settings, name)
    now = time.time()
    nominal = int(now) if at is None else _read_time(at, "--at")
    facts = manual_facts(owned, nominal, now, _user(), _read_event(event))
    if not owned.trigger.admits(facts):
        say(f"{owned.trigger.place}  its `when` doesn't hold, so no run is made.")
        raise typer.Exit(_UNMADE)
    turn = manual_turn(owned, facts, nominal, new_token(), runs.make)
    if dry_run:
        _preview(owned, facts, json=json)
        return
    with open_or_make(settings) as opened:
        (made,) = opened.take_turns([turn])
    _report(owned, made or (), json=json)


def backfill(
    name: TriggerName,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="The first time, in UTC.")],
    end: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The time before which it ends, in UTC.")
    ],
    dry_run: _DryRun = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Record runs for past times of a schedule that have none.

    The oldest comes first. Times that were skipped or missed count as well. Each time gets one run,
    however often this is called. They have the priority -10, so others are taken first.

    Exit status: 0 all are made, 2 a time or the trigger is wrong.
    """
    from fanwise.model import FireStatus
    from fanwise.service.by_hand import MOST_INSTANTS, backfill_instants, backfill_turn
    from fanwise.triggers.local_times import iso_utc
    from fanwise.wiring import open_or_make, read_settings

    settings = read_settings(store=store)
    owned, runs = _find(settings, name)
    span = _read_time(start, "--from"), _read_time(end, "--to")
    if span[1] > time.time():
        raise UsageError(
            "--to lies in the future.",
            hint="The schedule itself fires then: choose an earlier one.",
        )
    made: list[str] = []
    with open_or_make(settings) as opened:
        known = opened.fires(
            owned.plan.name, owned.trigger.name, statuses=[FireStatus.RAN], most=2 * MOST_INSTANTS
        )
        instants = backfill_instants(owned, *span, {each.key for each in known})
        for at in () if dry_run else instants:
            (ids,) = opened.take_turns([backfill_turn(owned, at, time.time(), runs.make)])
            made += ids or ()
    if not dry_run:
        _report(owned, made, json=json)
    elif json:
        print_results([as_json({"instants": [iso_utc(each) for each in instants]})])
    else:
        print_results([iso_utc(each) for each in instants] or ["No time without a run."])


def _find(settings: Settings, name: str) -> tuple[Owned, TriggeredRuns]:
    """The trigger of the project by its name, and the maker of its runs."""
    from fanwise.service.by_hand import find_names
    from fanwise.wiring import load_triggers, triggered_runs

    project = load_triggers(settings, Path.cwd())
    known = {(each.plan.name, each.trigger.name): each for each in reversed(project.triggers)}
    try:
        owned = known[find_names(known, name)]
    except UsageError:
        for problem in project.problems:  # one of these may be why it isn't there
            say(clean(str(problem)))
        raise
    return owned, triggered_runs(settings, project.folder, project.limits)


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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may know no name of its user
        return "unknown"


def _preview(owned: Owned, facts: FrozenDict, *, json: bool) -> None:
    parameters = owned.trigger.parameters_of(facts)
    if json:
        print_results([as_json({"trigger": dict(facts), "parameters": dict(parameters)})])
        return
    print_results([f"A run of {clean(owned.plan.name)} would be made."])
    print_results([f"{clean(name)}: {as_json(value)}" for name, value in parameters.items()])


def _report(owned: Owned, made: Sequence[str], *, json: bool) -> None:
    if json:
        names = {"workflow": owned.plan.name, "trigger": owned.trigger.name}
        print_results([as_json({**names, "runs": list(made)})])
        return
    print_results(list(made))
    if not made:
        say("No run was made: there is one already.")
