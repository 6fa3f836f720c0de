"""The triggers of a store: how far each is decided, and the fires that it has had."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from fanwise.model import FireRecord, FireStatus, OpenFire, SeenFile, TriggerState, TriggerTurn


class Fires(Protocol):
    """Triggers and their fires. Any thread may call these; they block.

    A trigger is known by the name of its workflow and its own.
    """

    def triggers(self) -> tuple[float, Sequence[TriggerState]]:
        """Return the time by the store's clock, and all triggers as recorded."""

    def newest_record(self) -> float | None:
        """Return the latest time in the store, by its clock, or None if nothing is recorded."""

    def open_fires(self, workflow: str, name: str) -> Sequence[OpenFire]:
        """Return the fires of a trigger that are held or whose runs aren't over, oldest first."""

    def take_turns(self, turns: Sequence[TriggerTurn]) -> Sequence[Sequence[str] | None]:
        """Record fires and their runs, which wait then, and how far triggers are decided.

        All of it is one transaction. A key that was used already makes no run, unless its fire is
        held or was refused. A run whose id is taken gets another one. Returns for each turn the ids
        of its runs, or None, with nothing of it recorded, if the trigger isn't at that turn any
        more. A fire whose run would be one too many that wait, or repeat another one, is refused;
        raises `RunRepeatedError` if that one is being made at this moment. One that failed, and has
        facts, is an end that others are told.
        """

    def fires(
        self,
        workflow: str,
        name: str,
        *,
        statuses: Collection[FireStatus] = (),
        before: int | None = None,
        most: int = 100,
    ) -> Sequence[FireRecord]:
        """Return the latest fires of a trigger, of these statuses if any, the newest first.

        With `before` they are those with smaller numbers.
        """

    def fire(self, workflow: str, name: str, key: str) -> FireRecord | None:
        """Return the fire of a trigger with a key."""

    def seen_files(self, workflow: str, name: str) -> Mapping[str, SeenFile]:
        """Return the files that a trigger has seen, by their paths in its folder."""

    def pause_trigger(self, workflow: str, name: str, note: str) -> None:
        """Pause a trigger, so that none of its instants is decided; seen or not."""

    def resume_trigger(self, workflow: str, name: str, *, catches_up: bool) -> bool:
        """Resume a trigger, and return whether it was paused.

        Only with `catches_up` the instants of the pause count, as missed ones.
        """
