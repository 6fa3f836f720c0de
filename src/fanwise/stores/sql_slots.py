"""Limits across runs in transactions of a database, and the port `RunSlots`.

A slot is a row, made in the transaction that takes or starts its run and gone with the one that
ends, pauses or puts it back: nothing is counted that could drift. Of the runs of a key that wait in
a queue as many are ready as there are slots left; others are held back, out of the index that
claims walk through. A claim counts again, and holds back the run that it finds no slot for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

import msgspec

from fanwise.admission import admit
from fanwise.errors import LeaseLostError, NoSlotError, QueueFullError
from fanwise.model import (
    ChildSlot,
    ErrorInfo,
    LimitUse,
    RequestKind,
    RunLimit,
    RunRequest,
    SlotWish,
    Status,
)
from fanwise.stores import ending_statements, queue_statements, slot_statements
from fanwise.stores.database import Database, Settle, Writer
from fanwise.stores.rows import Row

_MOST_READ: Final = 100_000

_Result = TypeVar("_Result")


class SlotKey(NamedTuple):
    """The scope and the key that a limit holds for."""

    scope: str
    key: str


Limits = Mapping[SlotKey, int]
"""The number of slots of each key."""


def limits_of(*limits: RunLimit) -> dict[SlotKey, int]:
    """The limits as they were when their runs were made."""
    return {_key(limit): limit.most for limit in limits}


def _key(limit: RunLimit) -> SlotKey:
    return SlotKey(limit.scope, limit.key)


class OvertakenError(Exception):
    """Ends a transaction without a trace, which another one has overtaken: it is done again."""


def controlling(
    database: Database,
    work: Callable[[Writer], _Result],
    settle: Settle[_Result] | None = None,
) -> _Result:
    """The result of a transaction, which is done again each time that others overtake it."""
    while True:
        with suppress(OvertakenError):
            return database.controlling(work, settle)


class Holder(NamedTuple):
    """A run that has a slot or, with a `path`, a run whose task or item there has one."""

    run_no: int
    run_id: str
    path: str


def lock_keys(writer: Writer, limits: Limits) -> Limits:
    """Lock keys until the end of the transaction, and return their present limits."""
    return {key: _lock(writer, key, limits[key]) for key in sorted(limits)}


def _lock(writer: Writer, key: SlotKey, most: int, *, sets: bool = False) -> int:
    """Lock a key, whose limit is `most` if it has none or `sets` it, and return its limit."""
    statement = slot_statements.LOCK_AND_SET if sets else slot_statements.LOCK_AS_BEFORE
    ((found,),) = writer.read(statement, most=most, **key._asdict())
    return int(found)


def lock_place(writer: Writer, run_no: int, *limits: RunLimit) -> Limits:
    """Lock a run's place in its queue, if it has one, then its keys and those of `limits`."""
    writer.read(queue_statements.LOCK_SUBMISSION, run_no=run_no)
    return lock_keys(writer, _limits_of_place(writer, run_no) | limits_of(*limits))


def _limits_of_place(writer: Writer, run_no: int) -> dict[SlotKey, int]:
    """The limit of a run in its queue, if it has one, and those of the workflows that it calls."""
    return to_limits(writer.read(slot_statements.KEYS_OF_RUN, run_no=run_no))


def limits_of_children(writer: Writer, run_no: int) -> dict[SlotKey, int]:
    """The limits of the workflows that a run calls and that have slots."""
    return to_limits(writer.read(slot_statements.KEYS_OF_CHILDREN, run_no=run_no))


def limits_of_engine(writer: Writer, engine_no: int) -> dict[SlotKey, int]:
    """The limits of the runs that an engine has taken from queues, and of workflows they call."""
    return to_limits(writer.read(slot_statements.KEYS_OF_ENGINE, engine_no=engine_no))


def to_limits(found: Iterable[Row]) -> dict[SlotKey, int]:
    """The limits in rows."""
    return {SlotKey(scope, key): most for scope, key, most in found}


def holders(writer: Writer, key: SlotKey) -> list[Holder]:
    """The runs that have slots of a key, the oldest first."""
    return [Holder(*row) for row in writer.read(slot_statements.HOLDERS, **key._asdict())]


def take_slot(writer: Writer, wish: SlotWish, run_no: int, *, is_new: bool = False) -> None:
    """Give a run a slot, for the process that drives it itself, unless it has one already.

    Raises `NoSlotError`.
    """
    key = _key(wish.limit)
    most = _lock(writer, key, wish.limit.most, sets=is_new)
    if _has_turn(writer, wish, most, run_no, ""):
        writer.execute(slot_statements.TAKE, run_no=run_no, **key._asdict())


def _has_turn(writer: Writer, wish: SlotWish, most: int, run_no: int, path: str) -> bool:
    """Say whether a slot is to be taken, and not there already; the place for it is gone then.

    Raises `NoSlotError`.
    """
    key = _key(wish.limit)._asdict()
    found = holders(writer, _key(wish.limit))
    has_none = not _has_slot(found, run_no, path)
    if has_none:
        place = {"waiter_no": wish.waiter_no, "priority": wish.priority}
        ((ahead,),) = writer.read(slot_statements.AHEAD_OF_WAITER, **place, **key)
        if len(found) + ahead >= most:
            raise _no_slot(wish, found)
    if wish.waiter_no is not None:
        writer.execute(slot_statements.STEP_OUT, waiter_no=wish.waiter_no)
    return has_none


def _has_slot(found: Collection[Holder], run_no: int, path: str) -> bool:
    return any((each.run_no, each.path) == (run_no, path) for each in found)


def claim_slot(writer: Writer, key: SlotKey, most: int, run_no: int, turn: float) -> bool | None:
    """Give a run from a queue a slot. False: there is none. None: another one comes before it.

    The key is locked.
    """
    found = holders(writer, key)
    if _has_slot(found, run_no, ""):  # it has kept that while it waited
        return True
    taken = len(found)
    if taken >= most:
        writer.execute(slot_statements.HOLD_BACK, run_no=run_no)
        return False
    ((ahead,),) = writer.read(slot_statements.AHEAD_OF_RUN, turn=turn, **key._asdict())
    if taken + ahead >= most:
        return None
    writer.execute(slot_statements.TAKE, run_no=run_no, **key._asdict())
    return True


def has_slot(writer: Writer, run_no: int) -> bool:
    """Say whether a run has a slot."""
    return bool(writer.read(slot_statements.HAS_SLOT, run_no=run_no))


def free_slot(writer: Writer, run_no: int) -> None:
    """Take back the slot of a run, if it has one; its key is locked."""
    writer.execute(slot_statements.FREE, run_no=run_no)


def free_children(writer: Writer, run_no: int, locked: Collection[SlotKey]) -> None:
    """Take back the slots of the workflows that a run calls, whose engine gets no more of them.

    Raises `OvertakenError` if that has got a slot of another key since some were `locked`.
    """
    freed = writer.read(slot_statements.FREE_CHILDREN, run_no=run_no)
    if any(SlotKey(*each) not in locked for each in freed):
        raise OvertakenError


def release(writer: Writer, limits: Limits) -> None:
    """Have as many runs of these keys ready in each queue as there are slots; they are locked."""
    for key, most in limits.items():
        values = key._asdict()
        free = most - len(holders(writer, key))
        queue, released = "", 0
        while free > 0:
            ((queue,),) = writer.read(slot_statements.NEXT_QUEUE, queue=queue, **values)
            if queue is None:
                break
            released += writer.change(slot_statements.RELEASE, queue=queue, free=free, **values)
        if released:
            writer.announce()
        writer.execute(slot_statements.DELETE_BOUND, **values)


def admit_run(writer: Writer, run_no: int, run_id: str, limit: RunLimit) -> bool:
    """Make way for a new run that is submitted, by the rule of its limit.

    Returns False if it is to be skipped; it has ended then.
    """
    most = _lock(writer, _key(limit), limit.most, sets=True)
    by = _make_way(writer, limit, most, run_no, run_id)
    if by is not None:
        end_unstarted(writer, run_no, skipped(limit, by))
    return by is None


def _make_way(
    writer: Writer, limit: RunLimit, most: int, run_no: int, run_id: str
) -> tuple[str, ...] | None:
    """Have other runs make way for a new one; the ids of holders if it is to be skipped."""
    if limit.when_full == "queue":
        return None
    key = _key(limit)
    values = {"most": _MOST_READ, **key._asdict()}
    held = holders(writer, key)
    reentering = [number for (number,) in writer.read(slot_statements.REENTERING, **values)]
    waiting = writer.read(slot_statements.WAITING, run_no=run_no, **values)
    open_runs = sorted({*(each.run_no for each in held), *reentering})
    admission = admit(limit.when_full, most, open_runs, [number for (number,) in waiting])
    if admission.is_skipped:
        return tuple(each.run_id for each in held)
    if admission.is_full:
        writer.execute(slot_statements.STEP_OUT_NEW, **key._asdict())
    request = RunRequest.of(RequestKind.CANCEL, f"run {run_id}, which takes its place")
    for number in admission.cancelled:
        writer.execute(
            slot_statements.ASK_TO_END,
            run_no=number,
            kind=request.kind.value,
            data=request.data.decode(),
        )
        writer.touch(number)
    for number in admission.replaced:
        writer.execute(slot_statements.LEAVE_QUEUE, run_no=number)
        end_unstarted(writer, number, replaced(limit, run_id))
    return None


def require_room(writer: Writer, run_id: str, workflow: str, most: int | None) -> None:
    """Raise `QueueFullError` if more than `most` runs of a workflow wait, a new one among them."""
    if most is not None and is_full(writer, workflow, most):
        raise QueueFullError(
            f"run {run_id} isn't made: {full_text(workflow, most)}.",
            run_id=run_id,
            hint="Start engines with fanwise work, or set FANWISE_LIMIT_QUEUED.",
        )


def is_full(writer: Writer, workflow: str, most: int) -> bool:
    """Say whether more than `most` runs of a workflow wait for an engine or a slot."""
    return bool(writer.read(slot_statements.FULL, workflow=workflow, most=most))


def full_text(workflow: str, most: int) -> str:
    """The reason why no more runs of a workflow are made."""
    return f"{most:,} runs of {workflow} wait already, as many as the limit `queued` allows"


def end_unstarted(writer: Writer, run_no: int, error: ErrorInfo) -> None:
    """End a run as cancelled that no engine has begun, and that waits no more."""
    text = msgspec.json.encode(error).decode()
    writer.execute(slot_statements.END_UNSTARTED, run_no=run_no, error=text)
    writer.touch(run_no)
    status = Status.CANCELLED.value
    writer.execute(ending_statements.RUN_ENDED, run_no=run_no, status=status, ended_at=None)


def skipped(limit: RunLimit, by: Collection[str]) -> ErrorInfo:
    """The reason why a run wasn't made to run."""
    return ErrorInfo("RunSkipped", f"the run was skipped: {_full_text(limit, by)}.")


def replaced(limit: RunLimit, by: str) -> ErrorInfo:
    """The reason why a run that waited has ended."""
    text = f"the run was replaced by {by} while it waited: {limit.words}, and the newest waits."
    return ErrorInfo("RunReplaced", text)


def _no_slot(wish: SlotWish, found: Collection[Holder]) -> NoSlotError:
    ids = tuple(each.run_id for each in found)
    return NoSlotError(
        f"run {wish.run_id} has no slot: {_full_text(wish.limit, ids)}.",
        run_id=wish.run_id,
        holders=ids,
        hint="Look at them with: fanwise limits",
    )


def _full_text(limit: RunLimit, ids: Collection[str]) -> str:
    if not ids:
        return f"{limit.words}, and others wait before it"
    named = ", ".join([*ids][:3]) + (f" and {len(ids) - 3:,} more" if len(ids) > 3 else "")
    have = f"run {named} has the slot" if len(ids) == 1 else f"runs {named} have the slots"
    return f"{limit.words}, and {have}"


class SqlSlots:
    """The port `RunSlots` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def line_up(self, wish: SlotWish, *, is_new: bool) -> int:
        """Wait for a slot; see `RunSlots.line_up`."""
        limit, key = wish.limit, _key(wish.limit)

        def add(writer: Writer) -> int:
            most = _lock(writer, key, limit.most, sets=is_new)
            writer.execute(slot_statements.FORGET_WAITERS)
            if is_new:
                _make_way(writer, limit, most, 0, wish.run_id)
            ((waiter_no,),) = writer.read(
                slot_statements.LINE_UP,
                run_id=wish.run_id,
                is_new=is_new,
                priority=wish.priority,
                **key._asdict(),
            )
            if is_new:
                require_room(writer, wish.run_id, limit.scope, wish.most_waiting)
            release(writer, {key: most})
            return int(waiter_no)

        return self._database.controlling(add)

    def keep_place(self, wish: SlotWish) -> bool:
        """Record that a process still waits; see `RunSlots.keep_place`."""
        statement, waiter_no = slot_statements.SEE_WAITER, wish.waiter_no
        return self._database.controlling(
            lambda writer: writer.change(statement, waiter_no=waiter_no) > 0
        )

    def has_room(self, wish: SlotWish) -> bool:
        """Say whether the key has a slot; see `RunSlots.has_room`."""
        key = _key(wish.limit)._asdict()
        return bool(self._database.read(slot_statements.HAS_ROOM, **key)[0][0])

    def step_out(self, waiter_no: int) -> None:
        """Leave a place; see `RunSlots.step_out`."""
        self._database.controlling(
            lambda writer: writer.execute(slot_statements.STEP_OUT, waiter_no=waiter_no)
        )

    def take_child(self, child: ChildSlot, wish: SlotWish) -> None:
        """Give a called workflow a slot; see `RunSlots.take_child`."""
        key = _key(wish.limit)

        def take(writer: Writer) -> None:
            most = _lock(writer, key, wish.limit.most, sets=True)
            if _has_turn(writer, wish, most, child.run_no, child.path):
                values = {**msgspec.structs.asdict(child), **key._asdict()}
                if not writer.change(slot_statements.TAKE_CHILD, **values):
                    raise LeaseLostError(
                        f"run {wish.run_id} was taken over by another process.",
                        run_no=child.run_no,
                    )

        self._database.controlling(take)

    def free_child(self, child: ChildSlot, limit: RunLimit) -> None:
        """Take back the slot of a called workflow; see `RunSlots.free_child`."""

        def free(writer: Writer) -> None:
            limits = lock_keys(writer, limits_of(limit))
            writer.execute(slot_statements.FREE_CHILD, **msgspec.structs.asdict(child))
            release(writer, limits)

        self._database.controlling(free)

    def limits(self) -> Sequence[LimitUse]:
        """Return the limits in use; see `RunSlots.limits`."""
        held: dict[SlotKey, list[str]] = {}
        waiting: Counter[SlotKey] = Counter()
        with self._database.snapshot() as reader:
            found = reader.read(slot_statements.BOUNDS)
            for scope, key, run_id in reader.read(slot_statements.ALL_HOLDERS):
                held.setdefault(SlotKey(scope, key), []).append(run_id)
            for scope, key, count in reader.read(slot_statements.COUNTS):
                waiting[SlotKey(scope, key)] += count
        return [
            LimitUse(
                scope,
                key,
                most,
                tuple(held.get(SlotKey(scope, key), ())),
                waiting[SlotKey(scope, key)],
            )
            for scope, key, most in found
        ]
