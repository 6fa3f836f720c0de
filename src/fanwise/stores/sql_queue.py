"""The port `Queue` over a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from fanwise.model import (
    Claim,
    EngineRecord,
    ErrorInfo,
    Owner,
    RunOrder,
    RunRecord,
    Status,
    Submission,
)
from fanwise.stores import queue_statements, rows, slot_statements
from fanwise.stores.database import Database, Reader, Writer
from fanwise.stores.new_runs import (
    id_is_taken,
    insert_run,
    is_inserted,
    refuse_repeat,
    require_no_repeat,
    run_values,
)
from fanwise.stores.parts import in_parts
from fanwise.stores.rows import SqlValue
from fanwise.stores.slot_statements import LEAVE_QUEUE
from fanwise.stores.sql_ownership import (
    ANSWERED,
    BEAT,
    DRIVEN_S,
    LEASE,
    LEAVE,
    give_back,
    lock_holder,
)
from fanwise.stores.sql_slots import (
    Limits,
    SlotKey,
    admit_run,
    claim_slot,
    controlling,
    end_unstarted,
    free_children,
    free_slot,
    has_slot,
    limits_of,
    limits_of_engine,
    lock_keys,
    lock_place,
    release,
    require_room,
    to_limits,
)

_PAGE_RUNS: Final = 500

# The token grows here already: the engine may wake up before another one has taken the run.
_TAKE_AWAY: Final = (
    f"UPDATE leases SET ran_s = ran_s + {DRIVEN_S}, engine_no = NULL, token = token + 1"
    " WHERE run_no = :run_no AND engine_no = :engine_no"
)

FREE: Final = (
    f"UPDATE leases SET ran_s = ran_s + {DRIVEN_S}, engine_no = NULL, token = token + 1"
    " WHERE run_no = :run_no AND token = :token"
)


class _KeyIsKnownError(Exception):
    """Ends a transaction without a trace: another run has the key."""


class SqlQueue:
    """The port `Queue` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, run: RunRecord, submission: Submission) -> tuple[str, bool]:
        """Record a new run that waits, or find the run that has its key; see `Queue.submit`."""
        values = run_values(run, self._database.place)
        if known := self._with_key(submission.once):
            return known, False
        numbers: list[int] = []  # those that the database has given out

        def insert(writer: Writer) -> int | None:
            run_no = insert_run(writer, run, values)
            if run_no is not None:
                numbers.append(run_no)
                enter_queue(writer, run_no, run, submission)
            return run_no

        run_no: int | None = None
        with suppress(_KeyIsKnownError):
            run_no = self._database.controlling(insert, is_inserted(run, numbers))
        if run_no is not None:
            return run.id, True
        if known := self._with_key(submission.once):  # by now: another one was faster
            return known, False
        raise id_is_taken(run)

    def _with_key(self, once: str | None) -> str | None:
        """The id of the run that has this key, or None."""
        found = self._database.read(queue_statements.HAS_KEY, once=once) if once else []
        return str(found[0][0]) if found else None

    def is_full(self, workflow: str, most: int) -> bool:
        """Say whether no other run of a workflow may wait; see `Queue.is_full`."""
        # A transaction that makes a run asks after that.
        found = self._database.read(slot_statements.FULL, workflow=workflow, most=most - 1)
        return bool(found)

    def submissions(self, run_nos: Collection[int]) -> Mapping[int, Submission]:
        """The places of these runs by their numbers; see `Queue.submissions`."""
        found: dict[int, Submission] = {}
        for some in in_parts(list(run_nos), _PAGE_RUNS):
            listed = self._database.read(queue_statements.submissions_of(some))
            found.update((row[0], rows.to_submission(row)) for row in listed)
        return found

    def has_work(self, queues: Sequence[str]) -> bool:
        """Say whether a look is worth its while; see `Queue.has_work`."""
        names = {f"queue_{number}": queue for number, queue in enumerate(queues)}
        return bool(self._database.read(queue_statements.has_work(len(names)), **names))

    def claim(self, engine_no: int, queues: Sequence[str], most: int) -> Sequence[Claim]:
        """Give waiting runs to an engine; see `Queue.claim`."""
        claims: list[Claim] = []

        def take(writer: Writer) -> list[Claim]:
            claims[:] = _claim(writer, engine_no, queues, most)
            return claims

        def settle(reader: Reader) -> list[list[Claim]]:
            for claim in claims[:1]:
                lease = claim.lease
                for row in reader.read(LEASE, run_no=lease.run_no):
                    found = rows.to_lease(row)
                    if (found.token, found.engine_no) == (lease.token, engine_no):
                        return [claims]
            return []

        return self._database.controlling(take, settle)

    def put_back(self, run_no: int, token: int, why: str, *, counts: bool) -> None:
        """Give a run back to its queue; see `Queue.put_back`."""

        def give(writer: Writer) -> None:
            lock_holder(writer, run_no, token)
            limits = lock_place(writer, run_no)
            holders = writer.read(queue_statements.HOLDER, run_no=run_no) if counts else []
            if give_back(writer, run_no, token):
                free_children(writer, run_no, limits)
                tried_by = rows.to_owner(holders[0][0]) if holders else None
                wait_again(writer, run_no, why, tried_by)
            release(writer, limits)

        controlling(self._database, give)

    def reap(self, engine_no: int, beats: int) -> Sequence[str]:
        """Put back the submitted runs of an engine that is gone; see `Queue.reap`."""

        def put_back(writer: Writer) -> list[str]:
            found = writer.read(queue_statements.STANDING_STILL, engine_no=engine_no, beats=beats)
            return _reap(writer, engine_no, rows.to_owner(found[0][0])) if found else []

        return controlling(self._database, put_back)

    def order(self, run: RunRecord, order: RunOrder, place: Submission, *, after: int) -> bool:
        """Have a run wait for an engine that carries an order out; see `Queue.order`."""
        ordered = msgspec.json.encode(order).decode()
        limit = run.origin.limit

        def give(writer: Writer) -> bool:
            limits = lock_place(writer, run.run_no, *([] if limit is None else [limit]))
            if not _free_lease(writer, run.run_no, after):
                return False
            if not writer.read(queue_statements.LOCK_SUBMISSION, run_no=run.run_no):
                writer.read(queue_statements.ADD, **_place_values(run, place))
            writer.execute(queue_statements.ORDER, run_no=run.run_no, ordered=ordered)
            writer.execute(queue_statements.IS_PENDING, run_no=run.run_no)
            writer.execute(ANSWERED, run_no=run.run_no)
            free_slot(writer, run.run_no)
            free_children(writer, run.run_no, limits)
            release(writer, limits)
            writer.touch(run.run_no)
            writer.announce()
            return True

        return controlling(self._database, give)

    def decline(self, run_no: int, why: str) -> None:
        """Drop the order for a run; see `Queue.decline`."""

        def drop(writer: Writer) -> None:
            writer.execute(queue_statements.DECLINE, run_no=run_no, why=why)
            writer.touch(run_no)

        self._database.controlling(drop)

    def end_waiting(self, run: RunRecord, by: str) -> bool:
        """End a run as cancelled that no engine has begun; see `Queue.end_waiting`."""
        error = ErrorInfo("RunCancelled", f"the run was cancelled by {by} while it waited.")

        def end(writer: Writer) -> bool:
            limits = lock_place(writer, run.run_no)
            waits = bool(writer.read(queue_statements.WAITS_UNSTARTED, run_no=run.run_no))
            if waits:
                writer.execute(LEAVE_QUEUE, run_no=run.run_no)
                end_unstarted(writer, run.run_no, error)
                release(writer, limits)
            return waits

        return self._database.controlling(end)

    def engines(self) -> Sequence[EngineRecord]:
        """All recorded engines with the runs that they hold; see `Queue.engines`."""
        found = self._database.read(queue_statements.ENGINES)
        return [rows.to_engine(list(each)) for _, each in groupby(found, key=lambda row: row[0])]

    def count_ready(self, most: int) -> int:
        """Count runs along their index; see `Queue.count_ready`."""
        ((count,),) = self._database.read(queue_statements.COUNT_READY, most=most)
        return int(count)

    def await_change(self, timeout_s: float) -> bool:
        """Block until the store may have changed; see `Queue.await_change`."""
        return self._database.await_change(timeout_s)


def enter_queue(writer: Writer, run_no: int, run: RunRecord, submission: Submission) -> None:
    """Have a new run wait, or end it if its limit has it skipped.

    Raises `_KeyIsKnownError` if another run has its key, `RunRepeatedError` and `QueueFullError`.
    """
    limit, repeat = run.origin.limit, run.origin.repeat
    refuse_repeat(writer, run)
    if limit is not None and not admit_run(writer, run_no, run.id, limit):
        return
    if repeat is not None:
        require_no_repeat(writer, run_no, run.id, repeat)
    placed = replace(run, run_no=run_no)
    if not writer.read(queue_statements.ADD, **_place_values(placed, submission)):
        raise _KeyIsKnownError
    require_room(writer, run.id, run.workflow, submission.most_waiting)
    if limit is not None:
        release(writer, lock_keys(writer, limits_of(limit)))
    writer.announce()


def _place_values(run: RunRecord, submission: Submission) -> Mapping[str, SqlValue]:
    """The values of a new place in a queue."""
    limit = run.origin.limit
    return {
        "run_no": run.run_no,
        "queue": submission.queue,
        "priority": submission.priority,
        "once": submission.once,
        "scope": None if limit is None else limit.scope,
        "key": None if limit is None else limit.key,
        "most": None if limit is None else limit.most,
        "is_held_back": limit is not None,
    }


def _free_lease(writer: Writer, run_no: int, after: int) -> bool:
    """Take a run from the lease with the token `after`, 0 for none; False if it has another."""
    if after:
        return writer.change(FREE, run_no=run_no, token=after) > 0
    return not writer.read(LEASE, run_no=run_no)


def _claim(writer: Writer, engine_no: int, queues: Sequence[str], most: int) -> list[Claim]:
    claims: list[Claim] = []
    if not writer.change(BEAT, engine_no=engine_no):  # it was taken for dead
        return claims
    for queue in dict.fromkeys(queues):
        passed: set[int] = set()  # runs that are ready, but not for this engine at this moment
        while left := most - len(claims):
            # Runs that get no slot leave the index, so each look finds others.
            best = writer.read(queue_statements.BEST, queue=queue, most=left + len(passed))
            found = [row for row in best if row[0] not in passed]
            if not found:
                break
            limits = lock_keys(writer, to_limits(row[-4:-1] for row in found if row[-2]))
            for row in found:
                claim = _take(writer, engine_no, row, limits)
                if isinstance(claim, Claim):
                    claims.append(claim)
                elif claim is None:
                    passed.add(row[0])
    return claims


def _take(
    writer: Writer, engine_no: int, row: rows.Row, limits: Limits
) -> Claim | Literal[False] | None:
    """Give an engine a run from its queue. False: it is held back. None: it stays ready."""
    run_no, scope, key, _, turn = row[0], *row[-4:]
    kept = scope is not None and has_slot(writer, run_no)
    if scope is not None:
        slot = SlotKey(scope, key)
        if (is_given := claim_slot(writer, slot, limits[slot], run_no, turn)) is not True:
            return is_given
    if not writer.change(queue_statements.TAKE_LEASE, run_no=run_no, engine_no=engine_no):
        if not kept:
            free_slot(writer, run_no)
        return None  # somebody resumes it by hand at this moment
    writer.execute(queue_statements.TAKE_SUBMISSION, run_no=run_no)
    writer.touch(run_no)
    lease = rows.to_lease(writer.read(LEASE, run_no=run_no)[0])
    (state,) = writer.read(queue_statements.STATE, run_no=run_no)
    return Claim(state[0], lease, rows.to_submission(row[:-4]))


def wait_again(
    writer: Writer, run_no: int, why: str, tried_by: Owner | None, *, keeps_slot: bool = False
) -> bool:
    """Have a submitted run wait that is not over, after a try if an engine has made one.

    If it `keeps_slot`, and has one, it waits for an engine alone.
    """
    if tried_by is None:
        waits = writer.change(queue_statements.WAIT_AGAIN, run_no=run_no, why=why)
    else:
        waits = writer.change(
            queue_statements.WAIT_AFTER_A_TRY, run_no=run_no, why=why, engine=f", {tried_by.name}"
        )
    if waits:
        writer.execute(queue_statements.IS_PENDING, run_no=run_no)
        if keeps_slot and has_slot(writer, run_no):
            writer.execute(slot_statements.BE_READY, run_no=run_no)
        else:
            free_slot(writer, run_no)
        writer.touch(run_no)
        writer.announce()
    return waits > 0


def _reap(writer: Writer, engine_no: int, owner: Owner) -> list[str]:
    waiting = []
    taken = writer.read(queue_statements.SUBMITTED_TO, engine_no=engine_no)
    limits = lock_keys(writer, limits_of_engine(writer, engine_no))
    for (run_no,) in taken:
        for run_id, status, is_to_pause in writer.read(queue_statements.STATE, run_no=run_no):
            stays_paused = status == Status.PAUSED.value and is_to_pause
            writer.execute(_TAKE_AWAY, run_no=run_no, engine_no=engine_no)
            writer.execute(ANSWERED, run_no=run_no)
            free_children(writer, run_no, limits)
            why = f"its engine is gone ({owner.name})"
            if not stays_paused and wait_again(writer, run_no, why, owner):
                waiting.append(run_id)
    release(writer, limits)
    writer.execute(LEAVE, engine_no=engine_no)
    return waiting
