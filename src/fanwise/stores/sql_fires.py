"""The port `Fires` over a database.

A decision is made on a trigger's state outside of a transaction, and recorded if the trigger is
still at the same turn. So of servers that decide at once one records its decision, and runs that
the trigger has made meanwhile are never overlooked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from fanwise.model import (
    ErrorInfo,
    FireRecord,
    FireStatus,
    NewFire,
    OpenFire,
    RequestKind,
    RunRecord,
    RunRequest,
    SeenFile,
    Stamp,
    Status,
    Submission,
    TriggerState,
    TriggerTurn,
)
from fanwise.stores import (
    ending_statements,
    fire_statements,
    queue_statements,
    slot_statements,
)
from fanwise.stores.database import NEWEST, Database, Reader, Writer
from fanwise.stores.new_runs import id_is_taken, insert_run, run_values, still_repeated
from fanwise.stores.rows import Row, SqlValue
from fanwise.stores.sql_arrivals import emit_failures, sort_arrivals, take_batch
from fanwise.stores.sql_queue import enter_queue
from fanwise.stores.sql_slots import (
    end_unstarted,
    full_text,
    is_full,
    lock_place,
    release,
)

_MOST_TRIES: Final = 1_000
_FORGET_EACH: Final = 100
_OPEN: Final = (FireStatus.RAN, FireStatus.HELD)


class SqlFires:
    """The port `Fires` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def triggers(self) -> tuple[float, Sequence[TriggerState]]:
        """Return the store's time and all triggers; see `Fires.triggers`."""
        with self._database.snapshot() as reader:
            ((now,),) = reader.read(fire_statements.NOW)
            found = reader.read(fire_statements.TRIGGERS)
        return now, [_to_state(row) for row in found]

    def newest_record(self) -> float | None:
        """Return the latest time; see `Fires.newest_record`."""
        ((newest,),) = self._database.read(fire_statements.NEWEST)
        return None if newest is None else float(newest)

    def open_fires(self, workflow: str, name: str) -> Sequence[OpenFire]:
        """Return the fires that are open; see `Fires.open_fires`."""
        found = self._database.read(fire_statements.OPEN, workflow=workflow, name=name)
        return [_to_open(row) for row in found]

    def take_turns(self, turns: Sequence[TriggerTurn]) -> Sequence[Sequence[str] | None]:
        """Record what was decided of triggers; see `Fires.take_turns`."""
        place = self._database.place
        for turn in turns:
            for fire in turn.fires:
                if fire.run is not None:
                    run_values(fire.run, place)  # before the transaction, to refuse it there

        def record(writer: Writer) -> list[list[str] | None]:
            return [_take_turn(writer, turn, place) for turn in turns]

        def settle(reader: Reader) -> list[list[list[str] | None]]:
            found = [_recorded(reader, turn) for turn in turns]
            return [[made or [] for made in found]] if any(found) else []

        return self._database.controlling(record, settle)

    def fires(
        self,
        workflow: str,
        name: str,
        *,
        statuses: Collection[FireStatus] = (),
        before: int | None = None,
        most: int = 100,
    ) -> Sequence[FireRecord]:
        """Return the latest fires of a trigger; see `Fires.fires`."""
        found = self._database.read(
            fire_statements.fires_of(len(statuses)),
            workflow=workflow,
            name=name,
            before=NEWEST if before is None else before,
            most=most,
            **{f"status_{number}": each.value for number, each in enumerate(statuses)},
        )
        return [_to_fire(row) for row in found]

    def seen_files(self, workflow: str, name: str) -> Mapping[str, SeenFile]:
        """Return the files that a trigger has seen; see `Fires.seen_files`."""
        found = self._database.read(fire_statements.SEEN, workflow=workflow, name=name)
        return dict(_to_file(row) for row in found)

    def fire(self, workflow: str, name: str, key: str) -> FireRecord | None:
        """Return the fire with a key; see `Fires.fire`."""
        found = self._database.read(fire_statements.FIRE_OF, workflow=workflow, name=name, key=key)
        return _to_fire(found[0]) if found else None

    def pause_trigger(self, workflow: str, name: str, note: str) -> None:
        """Pause a trigger; see `Fires.pause_trigger`."""

        def pause(writer: Writer) -> None:
            writer.execute(fire_statements.ADD, workflow=workflow, name=name)
            writer.execute(fire_statements.PAUSE, workflow=workflow, name=name, note=note)

        self._database.controlling(pause)

    def resume_trigger(self, workflow: str, name: str, *, catches_up: bool) -> bool:
        """Resume a trigger; see `Fires.resume_trigger`."""
        names = {"workflow": workflow, "name": name}

        def resume(writer: Writer) -> bool:
            if not catches_up:
                writer.execute(fire_statements.FORGET_PAUSE, **names)
            return writer.change(fire_statements.RESUME, catches_up=catches_up, **names) > 0

        return self._database.controlling(resume)


def _to_state(row: Row) -> TriggerState:
    (
        workflow,
        name,
        turn,
        fingerprint,
        cursor,
        next_at,
        paused_at,
        note,
        last_at,
        last_status,
        has_held,
        taken_to,
        trouble,
        batches,
        has_arrivals,
    ) = row
    return TriggerState(
        workflow,
        name,
        turn,
        fingerprint,
        cursor,
        next_at,
        paused_at,
        note,
        last_at,
        None if last_status is None else FireStatus(last_status),
        bool(has_held),
        taken_to,
        trouble,
        None if batches is None else batches.encode(),
        bool(has_arrivals),
    )


def _to_fire(row: Row) -> FireRecord:
    fire_no, key, at, first, n, status, reason, run_id, fired_at = row
    return FireRecord(fire_no, key, at, first, n, FireStatus(status), reason, run_id, fired_at)


def _to_file(row: Row) -> tuple[str, SeenFile]:
    path, size, mtime_ns, inode, since, is_taken, gone_at, ready_at, batch = row
    stamp = Stamp(size, mtime_ns, inode)
    return path, SeenFile(stamp, since, bool(is_taken), gone_at, ready_at, batch)


def _to_open(row: Row) -> OpenFire:
    key, at, run_id, status, facts = row
    return OpenFire(
        key,
        at,
        run_id,
        None if status is None else Status(status),
        None if facts is None else facts.encode(),
    )


def _recorded(reader: Reader, turn: TriggerTurn) -> list[str]:
    """The ids of the runs of a turn, if it was recorded."""
    keys = [fire.key for fire in turn.fires if fire.run is not None]
    if not keys:
        return []
    found = reader.read(
        fire_statements.RUN_IDS,
        workflow=turn.workflow,
        name=turn.name,
        first=min(keys),
        last=max(keys),
    )
    run_ids: dict[str, str] = dict(found)
    return [run_ids[key] for key in keys] if run_ids.keys() >= set(keys) else []


def _take_turn(writer: Writer, turn: TriggerTurn, place: str) -> list[str] | None:
    names = {"workflow": turn.workflow, "name": turn.name}
    if not turn.turn:
        writer.execute(fire_statements.ADD, **names)
    found = writer.read(fire_statements.NEXT_TURN, turn=turn.turn, **names)
    if not found:
        return None
    trigger_no, number, listens = found[0]
    if turn.cursor is not None:
        writer.execute(
            fire_statements.MOVE,
            trigger_no=trigger_no,
            fingerprint=turn.fingerprint,
            decided_to=turn.cursor,
            next_at=turn.next_at,
        )
    sort_arrivals(writer, trigger_no, turn)
    _watch(writer, trigger_no, turn)
    writer.execute(fire_statements.CLOSE, trigger_no=trigger_no)
    for run_id in turn.cancels:
        _cancel(writer, run_id, turn)
    run_ids, last = [], None
    for fire in turn.fires:
        last = _or_refused(writer, fire)
        made = _fire(writer, trigger_no, last, place)
        run_ids += [] if made is None else [made]
    if last is not None:
        writer.execute(
            fire_statements.LAST,
            trigger_no=trigger_no,
            last_at=last.at,
            last_status=last.status.value,
        )
        emit_failures(writer, turn, listens)
    if number % _FORGET_EACH == 0:
        writer.execute(fire_statements.FORGET, trigger_no=trigger_no)
    return run_ids


def _watch(writer: Writer, trigger_no: int, turn: TriggerTurn) -> None:
    """Record what a turn knows of the ends of runs, and of files."""
    if turn.taken_to is not None or turn.trouble is not None:
        writer.execute(
            fire_statements.WATCH,
            trigger_no=trigger_no,
            taken_to=turn.taken_to,
            trouble=turn.trouble,
        )
    if turn.forgets_files:
        writer.execute(fire_statements.FORGET_FILES, trigger_no=trigger_no)
    values: list[SqlValue] = []
    for path, file in turn.files.items():
        if file is None:
            writer.execute(fire_statements.FORGET_FILE, trigger_no=trigger_no, path=path)
            continue
        values += (trigger_no, path, *msgspec.structs.astuple(file.stamp), file.since)
        values += (file.is_taken, file.gone_at, file.ready_at, file.batch)
    writer.insert(fire_statements.INSERT_SEEN, values)


def _fire(writer: Writer, trigger_no: int, fire: NewFire, place: str) -> str | None:
    """Record a fire, and return the id of the run that it has made."""
    found = writer.read(
        fire_statements.FIRE,
        trigger_no=trigger_no,
        key=fire.key,
        at=fire.at,
        first_at=fire.first,
        n=fire.n,
        status=fire.status.value,
        reason=fire.reason,
        is_open=fire.status in _OPEN,
        facts=None if fire.facts is None else fire.facts.decode(),
    )
    if found and fire.status is FireStatus.FAILED and fire.facts is not None:
        writer.execute(ending_statements.FIRE_FAILED, fire_no=found[0][0])
    made: tuple[int, RunRecord] | None = None
    if found and fire.run is not None:
        made = _insert(writer, fire.run, place)
        enter_queue(writer, *made, fire.place)
        writer.execute(fire_statements.HAS_RUN, fire_no=found[0][0], run_id=made[1].id)
    take_batch(writer, trigger_no, fire, None if made is None else made[0])
    return None if made is None else made[1].id


def _or_refused(writer: Writer, fire: NewFire) -> NewFire:
    """A fire, or one that is refused in its place if it can't make its run now."""
    reason = "" if fire.run is None else _refusal(writer, fire.run, fire.place)
    return replace(fire, status=FireStatus.REFUSED, reason=reason, run=None) if reason else fire


def _refusal(writer: Writer, run: RunRecord, place: Submission) -> str:
    """The reason why a fire makes no run, or empty text."""
    repeat, most = run.origin.repeat, place.most_waiting
    if repeat is not None and (known := still_repeated(writer, repeat)):
        return f"it would repeat run {known}"
    # The run isn't among those that wait yet.
    if most is not None and is_full(writer, run.workflow, most - 1):
        return full_text(run.workflow, most)
    return ""


def _insert(writer: Writer, run: RunRecord, place: str) -> tuple[int, RunRecord]:
    """Add a new run, under its id or, if that is taken, the same with a number."""
    run_no = insert_run(writer, run, run_values(run, place))
    if run_no is not None:
        return run_no, run
    first, last = f"{run.id}-", f"{run.id}."  # in between are those with a number
    ((twins,),) = writer.read(fire_statements.TWINS, first=first, last=last)
    for number in range(twins + 2, twins + 2 + _MOST_TRIES):
        named = replace(run, id=f"{run.id}-{number}")
        run_no = insert_run(writer, named, run_values(named, place))
        if run_no is not None:
            return run_no, named
    raise id_is_taken(run)


def _cancel(writer: Writer, run_id: str, turn: TriggerTurn) -> None:
    """Ask the engine that drives a run to cancel it, or end it if none has begun it."""
    by = f"trigger {turn.name}, which has fired again"
    for (run_no,) in writer.read(fire_statements.RUN_NO, run_id=run_id):
        limits = lock_place(writer, run_no)
        if writer.read(queue_statements.WAITS_UNSTARTED, run_no=run_no):
            writer.execute(slot_statements.LEAVE_QUEUE, run_no=run_no)
            text = f"the run was cancelled while it waited by {by}."
            end_unstarted(writer, run_no, ErrorInfo("RunReplaced", text))
        else:
            request = RunRequest.of(RequestKind.CANCEL, by)
            writer.execute(
                fire_statements.ASK_ONCE,
                run_no=run_no,
                kind=request.kind.value,
                data=request.data.decode(),
            )
        release(writer, limits)
