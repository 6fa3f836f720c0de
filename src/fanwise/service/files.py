"""Decides triggers that wait for files in a folder: those that are ready, one by one or in batches.

A file is taken up in the transaction that makes its run, so it is handed over once. What is kept of
a folder here is only a copy of what is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from fanwise.errors import FanwiseError
from fanwise.model import SeenFile, TriggerState, TriggerTurn
from fanwise.plan.project_triggers import Owned
from fanwise.plan.triggers import gathers
from fanwise.ports import Fires
from fanwise.service.folders import FolderLook, Folders, Look
from fanwise.service.turns import Happening, MakeRun, OpenFires, happened_turn
from fanwise.triggers.batches import BatchRules
from fanwise.triggers.facts import event_facts, utc_text
from fanwise.triggers.files import (
    FileRules,
    Seen,
    batch_key,
    close_batches,
    file_key,
    poll,
    waiting,
)
from fanwise.triggers.overlap import Overlap
from fanwise.values import FrozenDict, Json

_FILE: Final = "file"
_TOGETHER: Final = 500
"""Files that are handed over one by one in one transaction."""


class _Known(NamedTuple):
    """The files of a trigger as they are recorded at a turn of it."""

    turn: int
    files: Seen


class FileTurns:
    """The decider of the kind `file`. Relative paths start at the project's `folder`."""

    def __init__(
        self, folders: Folders, fires: Fires, make_run: MakeRun, folder: str, most_held: int
    ) -> None:
        self._folders = folders
        self._fires = fires
        self._make_run = make_run
        self._folder = folder
        self._most_held = most_held
        self._known: dict[tuple[str, str], _Known] = {}

    def begin(self) -> None:
        """Do nothing: each folder is looked at by itself."""

    def is_due(self, owned: Owned, state: TriggerState, now: float) -> bool:
        """Say whether a trigger has to be decided; see `Decider.is_due`."""
        is_known = self._folders.is_known(self._wanted(owned))
        is_over = state.next_at is not None and state.next_at <= now
        return is_known or is_over or state.has_held

    def turn(self, owned: Owned, state: TriggerState, now: float) -> TriggerTurn | None:
        """Return the next turn of a trigger; see `Decider.turn`."""
        turn = TriggerTurn(workflow=state.workflow, name=state.name, turn=state.turn)
        open_fires = OpenFires.of(self._fires.open_fires(state.workflow, state.name))
        if released := open_fires.released(owned, self._make_run):
            return msgspec.structs.replace(turn, fires=released)
        found = self._folders.take(self._wanted(owned))
        trouble = state.trouble if found is None else found.trouble
        is_new = state.fingerprint != owned.trigger.fingerprint
        if is_new and (found is None or found.files is None):
            is_told = trouble == state.trouble
            return None if is_told else msgspec.structs.replace(turn, trouble=trouble)
        before = self._files(state)
        files = _Files(self._wanted(owned), owned, now)
        files.read(found, before, state)
        happenings = files.hand_over(open_fires)
        turn = happened_turn(owned, state, happenings, open_fires, self._make_run, self._most_held)
        changed = files.changed(before)
        is_same = (trouble, files.next_at) == (state.trouble, state.next_at)
        if is_same and not (turn.fires or turn.cancels or changed or is_new):
            return None
        self._known[state.workflow, state.name] = _Known(state.turn + 1, files.seen)
        return msgspec.structs.replace(
            turn,
            cursor=now,
            fingerprint=owned.trigger.fingerprint,
            next_at=files.next_at,
            trouble=trouble,
            files=changed,
        )

    def _files(self, state: TriggerState) -> Seen:
        known = self._known.get((state.workflow, state.name))
        if known is None or known.turn != state.turn:
            files = self._fires.seen_files(state.workflow, state.name)
            known = self._known[state.workflow, state.name] = _Known(state.turn, files)
        return known.files

    def _wanted(self, owned: Owned) -> FolderLook:
        written = owned.trigger.definition.file
        assert written is not None  # each trigger of this kind has one
        path = os.path.join(self._folder, os.path.expanduser(written.path))  # noqa: PTH111, PTH118
        rules = FileRules(
            glob=written.glob, settle_s=written.settle, takes_existing=written.existing == "take"
        )
        return FolderLook(path, rules, written.recursive, written.poll)


class _Files:
    """The files of a trigger as they are seen now, and what is handed over of them."""

    def __init__(self, wanted: FolderLook, owned: Owned, now: float) -> None:
        self.seen: dict[str, SeenFile] = {}
        self.next_at: float | None = None
        self._wanted = wanted
        self._owned = owned
        self._now = now
        self._gathers = gathers(owned.trigger.definition)
        self._refused: list[Happening] = []

    def read(self, found: Look | None, before: Seen, state: TriggerState) -> None:
        """See the files of a folder, or those of before if it can't be read."""
        if found is None or found.files is None:
            self.seen = dict(before)
            return
        is_new = state.fingerprint != self._owned.trigger.fingerprint
        rules = self._wanted.rules
        if is_new and before and not state.fingerprint:  # resumed: nothing of the pause is taken
            rules = msgspec.structs.replace(rules, takes_existing=False)
        seen, ready = poll(rules, None if is_new else before, found.files, self._now)
        self.seen = dict(seen)
        if self._gathers:
            for name in ready:
                self._gather(name)

    def _gather(self, name: str) -> None:
        """Put a file into the batch of its key, unless the trigger doesn't want it."""
        trigger, facts = self._owned.trigger, self._facts([name], is_single=True)
        try:
            if not trigger.admits(facts):
                self._take([name])
                return
            batch = trigger.batch_of(facts)
        except FanwiseError as error:  # it is in no batch, and its own fire tells why
            refusal = str(error)
            self._refused.append(msgspec.structs.replace(self._single(name), refusal=refusal))
            return
        self.seen[name] = msgspec.structs.replace(self.seen[name], batch=batch)

    def hand_over(self, open_fires: OpenFires) -> Sequence[Happening]:
        """The files that make runs now, each by itself or several together."""
        if not self._gathers:
            names = waiting(self.seen)
            self.next_at = self._now if len(names) > _TOGETHER else None
            return [self._single(name) for name in names[:_TOGETHER]]
        if open_fires.active and self._owned.trigger.overlap in (Overlap.SKIP, Overlap.QUEUE):
            return self._refused  # the batches stay open until the run has ended
        written = self._owned.trigger.definition.file
        batch = None if written is None else written.batch
        assert batch is not None  # it gathers
        rules = BatchRules(size=batch.size, within_s=batch.within)
        batches = close_batches(rules, self.seen, self._now)
        self.next_at = batches.next_at
        return [*self._refused, *(self._together(names) for names in batches.closed)]

    def _single(self, name: str) -> Happening:
        key = file_key(name, self.seen[name].stamp)
        facts = self._facts([name], is_single=True)
        self._take([name])
        return Happening(key, self._now, facts)

    def _together(self, names: Sequence[str]) -> Happening:
        key = batch_key(file_key(name, self.seen[name].stamp) for name in names)
        facts = self._facts(names, is_single=False)
        self._take(names)
        return Happening(key, self._now, facts)

    def _take(self, names: Sequence[str]) -> None:
        for name in names:
            self.seen[name] = msgspec.structs.replace(self.seen[name], is_taken=True)

    def _facts(self, names: Sequence[str], *, is_single: bool) -> FrozenDict:
        events = list(self._events(names))
        return event_facts(
            _FILE,
            self._owned.trigger.name,
            self._owned.plan.name,
            self._now,
            event=events[0] if is_single else None,
            events=None if is_single else events,
        )

    def _events(self, names: Sequence[str]) -> Iterator[dict[str, Json]]:
        for name in names:
            stamp = self.seen[name].stamp
            yield {
                "path": f"{self._wanted.path.rstrip('/')}/{name}",
                "name": name,
                "size": stamp.size,
                "modified_at": utc_text(stamp.mtime_ns / 1e9),
            }

    def changed(self, before: Seen) -> dict[str, SeenFile | None]:
        """The files that aren't any more as they are recorded."""
        changed: dict[str, SeenFile | None] = dict.fromkeys(before.keys() - self.seen.keys())
        changed.update((name, file) for name, file in self.seen.items() if before.get(name) != file)
        return changed
