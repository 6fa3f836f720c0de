"""The one way in which waits are settled, within a transaction that has locked their run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fanwise.errors import RunOverError
from fanwise.model import GivenAnswer, Signal, Status, Wait, WaitState
from fanwise.stores import wait_statements
from fanwise.stores.database import Writer
from fanwise.stores.parts import numbered
from fanwise.stores.rows import Row, SqlValue
from fanwise.stores.sql_queue import wait_again
from fanwise.stores.sql_slots import lock_place, release
from fanwise.stores.wait_rows import signal_text, to_wait

VIA_SIGNAL: Final = "signal"
VIA_EVENT: Final = "event"
VIA_DEADLINE: Final = "deadline"


def lock_run(writer: Writer, run_no: int) -> list[Row]:
    """Lock a run with its limit and its place; return its id, status and workflow."""
    lock_place(writer, run_no)
    return writer.read(wait_statements.LOCK_RUN, run_no=run_no)


def lock_open_run(writer: Writer, run_no: int) -> None:
    """Lock a run. Raises `RunOverError` if it is over, or has just been deleted."""
    found = lock_run(writer, run_no)
    run_id, status, _ = found[0] if found else ("", Status.CANCELLED.value, "")
    if Status(status).is_final:
        raise RunOverError(
            f"run {run_id} is over: it {Status(status).told}.",
            run_id=run_id,
            status=Status(status),
            hint=f"Look at it with: fanwise show {run_id}",
        )


def wait_at(writer: Writer, run_no: int, path: str, turn: int) -> Wait:
    """The wait of an attempt."""
    (found,) = writer.read(wait_statements.ONE, run_no=run_no, path=path, turn=turn)
    return to_wait(found)


def settle_by_signal(writer: Writer, wait: Wait, signal: Signal, via: str) -> Wait:
    """Settle an open wait by a signal or an event, and return it as it is then."""
    return _answer(writer, wait, signal_text(signal), signal.by, via)


def settle_by_answer(writer: Writer, wait: Wait, answer: bytes, given: GivenAnswer) -> Wait:
    """Settle an open question by an answer that fits, and return it as it is then."""
    return _answer(writer, wait, answer.decode(), given.by, given.via)


def _answer(writer: Writer, wait: Wait, answer: str, by: str, via: str) -> Wait:
    given: Mapping[str, SqlValue] = {"answer": answer, "answered_by": by, "via": via}
    settled = settle(writer, wait.run_no, wait.path, wait.turn, WaitState.ANSWERED, given)
    return settled or wait_at(writer, wait.run_no, wait.path, wait.turn)


def expire(writer: Writer, run_no: int) -> None:
    """Settle the waits of a locked run whose deadline has come."""
    given: Mapping[str, SqlValue] = {"answer": None, "answered_by": None, "via": VIA_DEADLINE}
    for path, turn in writer.read(wait_statements.DUE, run_no=run_no):
        settle(writer, run_no, path, turn, WaitState.EXPIRED, given)


def settle(
    writer: Writer,
    run_no: int,
    path: str,
    turn: int,
    state: WaitState,
    given: Mapping[str, SqlValue],
) -> Wait | None:
    """Settle an open wait of a locked run, wake the run, and return the wait.

    Any other wait stays as it is: None then.
    """
    values = {"run_no": run_no, "path": path, "turn": turn, "state": state.value, **given}
    settled = _settled(writer, run_no, writer.read(wait_statements.SETTLE, **values))
    return settled[0] if settled else None


def answer_in_time(
    writer: Writer, run_no: int, answers: Sequence[Mapping[str, SqlValue]]
) -> Sequence[Wait]:
    """Settle open questions of a locked run whose deadline hasn't come, and wake the run.

    Each answer has the values of its columns, with the place. Of two at one place one counts.
    """
    statement = wait_statements.answer_some(len(answers))
    found = writer.read(statement, run_no=run_no, **numbered(answers))
    return _settled(writer, run_no, found)


def _settled(writer: Writer, run_no: int, rows: Sequence[Row]) -> list[Wait]:
    """The waits that a statement has settled, after the run was woken by them."""
    if rows:
        writer.touch(run_no)
        if rows[0][-1] == Status.WAITING.value:
            wake(writer, run_no)
    return [to_wait(row[:-1]) for row in rows]


def wake(writer: Writer, run_no: int) -> None:
    """Have a submitted run that is waiting taken by an engine."""
    if writer.read(wait_statements.IS_WAITING_SUBMITTED, run_no=run_no):
        wait_again(writer, run_no, "", None, keeps_slot=True)
        release(writer, lock_place(writer, run_no))
