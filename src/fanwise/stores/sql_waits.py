"""The port `Waits` over a database.

Each change locks its run first, so the changes of one run happen one after the other, and a signal
that comes while a wait is being opened meets the wait, or is met by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fanwise.errors import RunOverError
from fanwise.model import OpenWait, Signal, Status, Wait, WaitKind, WaitState, WaitToOpen
from fanwise.stores import queue_statements, wait_statements
from fanwise.stores.database import Database, Reader, Writer
from fanwise.stores.rows import Row, SqlValue
from fanwise.stores.sql_ownership import require_tokens
from fanwise.stores.sql_queue import wait_again
from fanwise.stores.sql_slots import limits_of_place, lock_keys, release
from fanwise.stores.wait_rows import (
    checked,
    from_signal,
    from_wait_to_open,
    names_text,
    signal_text,
    to_signal,
    to_wait,
)

VIA_SIGNAL: Final = "signal"
VIA_DEADLINE: Final = "deadline"


class SqlWaits:
    """The port `Waits` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_waits(self, run_no: int, token: int, waits: Sequence[WaitToOpen]) -> Sequence[Wait]:
        """Record waits that aren't recorded yet; see `Waits.open_waits`."""
        values = [checked(from_wait_to_open(run_no, each), self._database.place) for each in waits]

        def add(writer: Writer) -> list[Wait]:
            _lock(writer, run_no)
            require_tokens(writer, {run_no: token}, self._database.place)
            opened = []
            for each in values:
                writer.execute(wait_statements.OPEN, **each)
                wait = _wait_at(writer, run_no, str(each["path"]), int(str(each["turn"])))
                opened.append(_match(writer, wait))
            writer.touch(run_no)
            return opened

        return self._database.controlling(add)

    def last_settled(self, run_no: int) -> int:
        """The highest `settled_no` of the run's waits; see `Waits.last_settled`."""
        return int(self._database.read(wait_statements.LAST_SETTLED, run_no=run_no)[0][0])

    def settled_waits(self, run_no: int, *, after: int = 0) -> Sequence[Wait]:
        """The waits of a run that were settled after others; see `Waits.settled_waits`."""
        if self._database.read(wait_statements.HAS_DUE, run_no=run_no):
            self._expire(run_no)
        found = self._database.read(wait_statements.SETTLED, run_no=run_no, after=after)
        return [to_wait(row) for row in found]

    def answer_wait(
        self, run_no: int, path: str, turn: int, answer: bytes, *, by: str, via: str
    ) -> Wait:
        """Settle an open wait with an answer; see `Waits.answer_wait`."""
        given = checked(
            {"answer": answer.decode(), "answered_by": by, "via": via}, self._database.place
        )

        def settle(writer: Writer) -> Wait:
            _lock_open_run(writer, run_no)
            _expire(writer, run_no)
            _settle(writer, run_no, path, turn, WaitState.ANSWERED, given)
            return _wait_at(writer, run_no, path, turn)

        return self._database.controlling(settle)

    def send_signal(self, run_no: int, signal: Signal) -> Wait | None:
        """Keep a signal, and settle the first wait for it; see `Waits.send_signal`."""
        values = checked(from_signal(run_no, signal), self._database.place)
        sent: list[tuple[int, Wait | None]] = []  # under the numbers that were given out

        def send(writer: Writer) -> Wait | None:
            _lock_open_run(writer, run_no)
            _expire(writer, run_no)
            ((number,),) = writer.read(wait_statements.SEND, **values)
            wait = _match_signal(writer, run_no, int(number), signal)
            sent.append((int(number), wait))
            return wait

        def settle(reader: Reader) -> list[Wait | None]:
            return [
                wait for number, wait in sent if reader.read(wait_statements.SENT, signal_no=number)
            ]

        return self._database.controlling(send, settle)

    def wake_settled(self, run_no: int, *, after: int) -> None:
        """Make a waiting run pending if a wait was settled meanwhile; see `Waits.wake_settled`."""

        def wake(writer: Writer) -> None:
            _lock(writer, run_no)
            if writer.read(wait_statements.HAS_SETTLED, run_no=run_no, after=after):
                _wake(writer, run_no)

        self._database.controlling(wake)

    def wake_due(self) -> None:
        """Settle due waits of waiting runs; see `Waits.wake_due`. A vain look only reads."""
        for (run_no,) in self._database.read(wait_statements.RUNS_WITH_DUE):
            self._expire(run_no)

    def waits_at(self, run_no: int, path: str) -> Sequence[Wait]:
        """The waits of one task or item; see `Waits.waits_at`."""
        found = self._database.read(wait_statements.AT, run_no=run_no, path=path)
        return [to_wait(row) for row in found]

    def waits_open(self, *, run_no: int | None = None, limit: int = 100) -> Sequence[OpenWait]:
        """Open waits, the oldest first; see `Waits.waits_open`."""
        if run_no is None:
            found = self._database.read(wait_statements.ALL_OPEN, limit=limit)
        else:
            found = self._database.read(wait_statements.OPEN_OF_RUN, run_no=run_no, limit=limit)
        return [OpenWait(row[0], row[1], to_wait(row[2:])) for row in found]

    def _expire(self, run_no: int) -> None:
        def expire(writer: Writer) -> None:
            _lock(writer, run_no)
            _expire(writer, run_no)

        self._database.controlling(expire)


def _lock(writer: Writer, run_no: int) -> list[Row]:
    """Lock a run with its limit and its place in its queue, and return its id and status."""
    lock_keys(writer, limits_of_place(writer, run_no))
    writer.read(queue_statements.LOCK_SUBMISSION, run_no=run_no)
    return writer.read(wait_statements.LOCK_RUN, run_no=run_no)


def _lock_open_run(writer: Writer, run_no: int) -> None:
    """Lock a run. Raises `RunOverError` if it is over, or has just been deleted."""
    found = _lock(writer, run_no)
    run_id, status = found[0] if found else ("", Status.CANCELLED.value)
    if Status(status).is_final:
        raise RunOverError(
            f"run {run_id} is over: it has {status}.",
            run_id=run_id,
            status=Status(status),
            hint=f"Look at it with: fanwise show {run_id}",
        )


def _wait_at(writer: Writer, run_no: int, path: str, turn: int) -> Wait:
    (found,) = writer.read(wait_statements.ONE, run_no=run_no, path=path, turn=turn)
    return to_wait(found)


def _match(writer: Writer, wait: Wait) -> Wait:
    """The wait after the first signal that was sent for it, if there is one."""
    is_open_for_signals = wait.waits_for is WaitKind.SIGNAL and wait.state is WaitState.OPEN
    if not (is_open_for_signals and wait.takes_earlier):
        return wait
    query = wait_statements.earliest_signal(len(wait.names), has_key=wait.key is not None)
    given: dict[str, SqlValue] = {f"name_{n}": name for n, name in enumerate(wait.names)}
    if wait.key is not None:
        given["match_key"] = wait.key
    for row in writer.read(query, run_no=wait.run_no, **given):
        return _settle_by_signal(writer, wait, int(row[0]), to_signal(row))
    return wait


def _match_signal(writer: Writer, run_no: int, signal_no: int, signal: Signal) -> Wait | None:
    """The first wait for a signal after that has been settled by it, if there is one."""
    quoted = names_text([signal.name])[1:-1]
    for row in writer.read(
        wait_statements.WAITS_FOR, run_no=run_no, match_key=signal.key, quoted=quoted
    ):
        return _settle_by_signal(writer, to_wait(row), signal_no, signal)
    return None


def _settle_by_signal(writer: Writer, wait: Wait, signal_no: int, signal: Signal) -> Wait:
    writer.execute(wait_statements.TAKE, signal_no=signal_no)
    given: Mapping[str, SqlValue] = {
        "answer": signal_text(signal),
        "answered_by": signal.by,
        "via": VIA_SIGNAL,
    }
    _settle(writer, wait.run_no, wait.path, wait.turn, WaitState.ANSWERED, given)
    return _wait_at(writer, wait.run_no, wait.path, wait.turn)


def _expire(writer: Writer, run_no: int) -> None:
    """Settle the waits of a locked run whose deadline has come."""
    given: Mapping[str, SqlValue] = {"answer": None, "answered_by": None, "via": VIA_DEADLINE}
    for path, turn in writer.read(wait_statements.DUE, run_no=run_no):
        _settle(writer, run_no, path, turn, WaitState.EXPIRED, given)


def _settle(
    writer: Writer,
    run_no: int,
    path: str,
    turn: int,
    state: WaitState,
    given: Mapping[str, SqlValue],
) -> None:
    """Settle an open wait of a locked run, and wake the run; do nothing to any other wait."""
    if writer.change(
        wait_statements.SETTLE, run_no=run_no, path=path, turn=turn, state=state.value, **given
    ):
        writer.touch(run_no)
        _wake(writer, run_no)


def _wake(writer: Writer, run_no: int) -> None:
    """Have a submitted run that is waiting taken by an engine."""
    if writer.read(wait_statements.IS_WAITING_SUBMITTED, run_no=run_no):
        wait_again(writer, run_no, "", None)
        release(writer, lock_keys(writer, limits_of_place(writer, run_no)))
