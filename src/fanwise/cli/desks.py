"""The side whose triggers commands list, fire and pause: the project around here, or a server's."""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fanwise.cli.backends import is_server, requests_to
from fanwise.cli.errors import error_lines
from fanwise.cli.text.output import say
from fanwise.errors import StoreError, UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from fanwise.engine.triggered import TriggeredRuns
    from fanwise.model import FireStatus, TriggerState
    from fanwise.packs.projects import Project
    from fanwise.plan.project_triggers import Owned
    from fanwise.reports.trigger_rows import Backfilled, Fired, FireRow, ListedTriggers
    from fanwise.service.by_hand import Backfill, Names
    from fanwise.values import Json
    from fanwise.wiring import Settings


class TriggerDesk(Protocol):
    """The triggers of a project, and what is recorded of them. Methods block."""

    @property
    def places(self) -> Mapping[Names, str]:
        """The triggers of the project, each with its place in a file."""

    @property
    def problems(self) -> Sequence[str]:
        """The problems of its files, a line each."""

    def recorded(self) -> Sequence[Names]:
        """Triggers that are recorded, also some that the project has no more."""

    def listed(self) -> ListedTriggers:
        """The triggers of the project, as they stand."""

    def fires(self, names: Names, statuses: Sequence[FireStatus], most: int) -> Sequence[FireRow]:
        """The newest fires of a trigger."""

    def pause(self, names: Names, note: str) -> None:
        """Pause a trigger."""

    def resume(self, names: Names, *, catches_up: bool) -> bool:
        """Resume a trigger, and say whether it was paused."""

    def fire(
        self, names: Names, at: int | None, event: Json, *, overlaps: bool, dry_run: bool
    ) -> Fired | None:
        """Fire a trigger of the project, at a nominal time or now; None if its `when` fails.

        If it `overlaps`, it doesn't matter whether a run of the trigger is open.
        """

    def backfill(self, names: Names, wanted: Backfill, *, dry_run: bool) -> Backfilled:
        """Make the runs of past times of a schedule."""


class StoreDesk:
    """The project around a folder and a store, as a `TriggerDesk`; `store` is as it was named."""

    def __init__(self, settings: Settings, folder: Path, store: str | None) -> None:
        from fanwise.wiring import load_triggers

        self._settings = settings
        self._store = store
        self._project: Project = load_triggers(settings, folder)

    @cached_property
    def _owned(self) -> Mapping[Names, Owned]:
        found = reversed(self._project.triggers)
        return {(each.plan.name, each.trigger.name): each for each in found}

    @property
    def places(self) -> Mapping[Names, str]:
        """The triggers of the project, and their places."""
        return {names: str(each.trigger.place) for names, each in self._owned.items()}

    @property
    def problems(self) -> Sequence[str]:
        """The problems of its files."""
        return [str(each) for each in self._project.problems]

    def recorded(self) -> Sequence[Names]:
        """The triggers that the store knows."""
        from fanwise.wiring import trigger_states

        return list(trigger_states(self._settings))

    def listed(self) -> ListedTriggers:
        """The triggers of the project, as they stand."""
        from fanwise.reports.trigger_rows import ListedTriggers, trigger_rows

        return ListedTriggers(
            folder=str(self._project.folder),
            triggers=trigger_rows(self._project.triggers, self._states(), time.time()),
            problems=self.problems,
            warnings=[str(each) for each in self._project.warnings],
        )

    def _states(self) -> Mapping[Names, TriggerState]:
        """The recorded triggers. The files can be listed without a store as well."""
        from fanwise.wiring import trigger_states

        try:
            return trigger_states(self._settings)
        except StoreError as error:
            for line in error_lines(error, () if self._store is None else ("--store", self._store)):
                say(line)
            return {}

    def fires(self, names: Names, statuses: Sequence[FireStatus], most: int) -> Sequence[FireRow]:
        """The newest fires of a trigger."""
        from fanwise.reports.trigger_rows import fire_row
        from fanwise.wiring import open_records

        with open_records(self._settings) as records:
            return [fire_row(each) for each in records.fires(*names, statuses=statuses, most=most)]

    def pause(self, names: Names, note: str) -> None:
        """Pause a trigger."""
        from fanwise.wiring import open_or_make

        with open_or_make(self._settings) as opened:
            opened.pause_trigger(*names, note)

    def resume(self, names: Names, *, catches_up: bool) -> bool:
        """Resume a trigger, and say whether it was paused."""
        from fanwise.wiring import open_or_make

        with open_or_make(self._settings) as opened:
            return opened.resume_trigger(*names, catches_up=catches_up)

    def fire(
        self, names: Names, at: int | None, event: Json, *, overlaps: bool, dry_run: bool
    ) -> Fired | None:
        """Fire a trigger, as the user of this process."""
        from fanwise.reports.trigger_rows import Fired
        from fanwise.service.by_hand import manual_facts
        from fanwise.service.handmade import fire_by_hand
        from fanwise.wiring import new_token, open_or_make

        owned, now = self._owned[names], time.time()
        nominal = int(now) if at is None else at
        facts = manual_facts(owned, nominal, now, _user(), event)
        if not owned.trigger.admits(facts):
            return None
        make, parameters = self._runs.make, owned.trigger.parameters_of(facts)
        if dry_run:
            make(owned, facts, nominal)  # raises what is wrong
            return Fired(runs=(), trigger=facts, parameters=parameters)
        most = None if overlaps else self._settings.limits.queued
        with open_or_make(self._settings) as opened:
            made = fire_by_hand(opened, owned, facts, nominal, new_token(), make, most_held=most)
        return Fired(
            runs=made.runs,
            status=made.status.value,
            reason=made.reason,
            trigger=facts,
            parameters=parameters,
        )

    def backfill(self, names: Names, wanted: Backfill, *, dry_run: bool) -> Backfilled:
        """Make the runs of past times of a schedule."""
        from fanwise.service.handmade import make_backfill
        from fanwise.wiring import new_token, open_or_make

        owned, make, token = self._owned[names], self._runs.make, new_token()
        with open_or_make(self._settings) as opened:
            return make_backfill(opened, owned, wanted, time.time(), make, token, dry_run=dry_run)

    @cached_property
    def _runs(self) -> TriggeredRuns:
        from fanwise.wiring import triggered_runs

        return triggered_runs(self._settings, self._project.folder, self._project.limits)


def open_desk(store: str | None) -> TriggerDesk:
    """The triggers of a command whose line gives this store, or none.

    Raises `UsageError`, and `DefinitionError` for the project's own file.
    """
    if is_server(store):
        from fanwise.client.triggers import ServerTriggers

        return ServerTriggers(requests_to(store))
    from fanwise.wiring import read_settings

    return StoreDesk(read_settings(store=store), Path.cwd(), store)


def own_names(desk: TriggerDesk, text: str) -> Names:
    """The trigger of the project that a name means. Raises `UsageError`."""
    from fanwise.service.by_hand import find_names

    try:
        return find_names(desk.places, text)
    except UsageError:
        for problem in desk.problems:  # one of these may be why it isn't there
            say(clean(problem))
        raise


def known_names(desk: TriggerDesk, text: str) -> Names:
    """The trigger of the project, or a recorded one, that a name means. Raises `UsageError`."""
    from fanwise.service.by_hand import find_names

    return find_names([*desk.places, *desk.recorded()], text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may know no name of its user
        return "unknown"
