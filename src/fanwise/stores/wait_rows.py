"""Waits and signals as rows of the tables `waits` and `signals`, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from fanwise.model import GivenAnswer, Signal, Wait, WaitKind, WaitState, WaitToOpen
from fanwise.stores.database import refused
from fanwise.stores.rows import Row, SqlValue, refuse_nul
from fanwise.stores.wait_statements import NO_NAME


def names_text(names: Sequence[str]) -> str:
    """Return names as JSON text, which has each of them in quotes."""
    return msgspec.json.encode(names).decode()


def from_wait_to_open(wait: WaitToOpen) -> Mapping[str, SqlValue]:
    """Return the values of a wait that is to be opened."""
    request = wait.request
    return {
        "path": wait.path,
        "turn": wait.turn,
        "waits_for": request.waits_for.value,
        "names": names_text(request.names),
        "match_key": request.key,
        "takes_earlier": request.takes_earlier,
        "timeout_s": wait.timeout_s,
        "form": request.form.decode(),
    }


def to_wait(row: Row) -> Wait:
    """Return the wait of a row of `waits`."""
    run_no, path, turn, waits_for, names, key, takes_earlier, state, opened_at, *rest = row
    deadline, by, via, settled_at, settled_no, form, answer = rest
    return Wait(
        waits_for=WaitKind(waits_for),
        form=form.encode(),
        names=tuple(msgspec.json.decode(names)),
        key=key,
        takes_earlier=bool(takes_earlier),
        run_no=run_no,
        path=path,
        turn=turn,
        state=WaitState(state),
        opened_at=opened_at,
        deadline=deadline,
        answer=None if answer is None else answer.encode(),
        by=by,
        via=via,
        settled_at=settled_at,
        settled_no=settled_no,
    )


def from_signal(run_no: int, signal: Signal) -> Mapping[str, SqlValue]:
    """Return the values of a signal that is sent to a run."""
    return {
        "run_no": run_no,
        "name": signal.name,
        "match_key": signal.key,
        "sent_by": signal.by,
        "payload": signal.payload.decode(),
    }


def to_signal(row: Row) -> Signal:
    """Return the signal of a row of `signals`."""
    _, _, name, key, _, sent_by, _, payload, _ = row
    return Signal(name, key, payload.encode(), sent_by)


def from_answer(run_no: int, path: str, answer: GivenAnswer) -> Mapping[str, SqlValue]:
    """Return the values of an answer that is kept for the question at a path."""
    payload = msgspec.json.encode(answer)
    return from_signal(run_no, Signal(NO_NAME, path, payload, answer.by))


def to_answer(signal: Signal) -> GivenAnswer:
    """Return the answer that is kept as a signal."""
    return msgspec.json.decode(signal.payload, type=GivenAnswer)


def signal_text(signal: Signal) -> str:
    """Return a signal as the JSON text that answers a wait for it."""
    value = {"name": signal.name, "key": signal.key, "payload": msgspec.Raw(signal.payload)}
    return msgspec.json.encode(value).decode()


def checked(values: Mapping[str, SqlValue], place: str) -> Mapping[str, SqlValue]:
    """Return values, each of which the store can hold. Raises `RecordRefusedError`."""
    try:
        for value in values.values():
            if isinstance(value, str):
                value.encode()
                refuse_nul(value)
    except ValueError as error:
        raise refused(place, error) from error
    return values
