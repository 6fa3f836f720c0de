"""The port `Waits` over a database.

Each change locks its run first, so the changes of one run happen one after the other, and a signal
that comes while a wait is being opened meets the wait, or is met by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

import msgspec

from fanwise.model import (
    ASKED,
    EVENT,
    Arrival,
    GivenAnswer,
    Link,
    OpenWait,
    Signal,
    Wait,
    WaitKind,
    WaitPlace,
    WaitState,
    WaitToOpen,
    without_visits,
)
from fanwise.ports import CheckAnswer
from fanwise.stores import wait_statements
from fanwise.stores.database import Database, Reader, Writer
from fanwise.stores.offers import offer_arrivals, take_earlier_event
from fanwise.stores.parts import in_parts, numbered
from fanwise.stores.rows import Row, SqlValue
from fanwise.stores.sql_arrivals import emit_own
from fanwise.stores.sql_ownership import require_tokens
from fanwise.stores.together import Together
from fanwise.stores.wait_rows import (
    checked,
    from_answer,
    from_signal,
    from_wait_to_open,
    names_text,
    to_answer,
    to_signal,
    to_wait,
)
from fanwise.stores.wait_settling import (
    VIA_SIGNAL,
    answer_in_time,
    expire,
    lock_open_run,
    lock_run,
    settle_by_answer,
    settle_by_signal,
    wait_at,
    wake,
)

_Answer: TypeAlias = Mapping[str, SqlValue]
"""The values of an answer and of the place of its question."""


class SqlWaits:
    """The port `Waits` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_waits(
        self,
        run_no: int,
        token: int,
        waits: Sequence[WaitToOpen],
        check: CheckAnswer | None = None,
    ) -> Sequence[Wait]:
        """Record waits that aren't recorded yet; see `Waits.open_waits`."""
        values = [checked(from_wait_to_open(each), self._database.place) for each in waits]

        def add(writer: Writer) -> list[Wait]:
            ((run_id, _, workflow),) = lock_run(writer, run_no)
            require_tokens(writer, {run_no: token}, self._database.place)
            new, found = _open(writer, run_no, values)
            opened = [_match(writer, found[each.place]) for each in waits]
            if check is not None:
                opened = _match_answers(writer, run_no, opened, check)
            asked = [each for each in opened if each.place in new and _is_open_question(each)]
            emit_own(writer, [_asked(run_id, workflow, each) for each in asked])
            writer.touch(run_no)
            return opened

        return self._database.controlling(add)

    def doze(self, run_no: int, token: int, rest_s: float) -> int:
        """Have the run wait for a time; see `Waits.doze`."""

        def sleep(writer: Writer) -> int:
            lock_run(writer, run_no)
            require_tokens(writer, {run_no: token}, self._database.place)
            writer.execute(wait_statements.DOZE, run_no=run_no, rest_s=rest_s)
            return int(writer.read(wait_statements.LAST_SETTLED, run_no=run_no)[0][0])

        return self._database.controlling(sleep)

    def wake_at(self, run_no: int) -> float | None:
        """The time at which a run that sleeps is due; see `Waits.wake_at`."""
        found = self._database.read(wait_statements.WAKE_AT, run_no=run_no)
        return found[0][0] if found else None

    def last_settled(self, run_no: int) -> int:
        """The highest `settled_no` of the run's waits; see `Waits.last_settled`."""
        return int(self._database.read(wait_statements.LAST_SETTLED, run_no=run_no)[0][0])

    def settled_waits(self, run_no: int, *, after: int = 0) -> Sequence[Wait]:
        """The waits of a run that were settled after others; see `Waits.settled_waits`."""
        offer_arrivals(self._database)
        if self._database.read(wait_statements.HAS_DUE, run_no=run_no):
            self._expire(run_no)
        found = self._database.read(wait_statements.SETTLED, run_no=run_no, after=after)
        return [to_wait(row) for row in found]

    def answer_wait(
        self, run_no: int, path: str, turn: int, answer: bytes, *, by: str, via: str
    ) -> Wait:
        """Settle an open wait with an answer; see `Waits.answer_wait`."""
        given: _Answer = {
            "path": path,
            "turn": turn,
            "answer": answer.decode(),
            "answered_by": by,
            "via": via,
        }
        return self._answers.make(run_no, checked(given, self._database.place))

    def keep_answer(self, run_no: int, path: str, answer: GivenAnswer) -> bool:
        """Keep an answer for a question to come; see `Waits.keep_answer`."""
        values = checked(from_answer(run_no, path, answer), self._database.place)
        kept: list[int] = []  # under the numbers that were given out

        def keep(writer: Writer) -> bool:
            lock_open_run(writer, run_no)
            if writer.read(wait_statements.AT, run_no=run_no, path=path) or any(
                without_visits(later) == path
                for (later,) in writer.read(wait_statements.OPEN_LATER_VISITS, run_no=run_no)
            ):
                return False
            ((number,),) = writer.read(wait_statements.SEND, **values)
            kept.append(int(number))
            return True

        def find(reader: Reader) -> list[bool]:
            return [True for each in kept if reader.read(wait_statements.SENT, signal_no=each)]

        return self._database.controlling(keep, find)

    def send_signal(self, run_no: int, signal: Signal) -> Wait | None:
        """Keep a signal, and settle the first wait for it; see `Waits.send_signal`."""
        values = checked(from_signal(run_no, signal), self._database.place)
        sent: list[tuple[int, Wait | None]] = []  # under the numbers that were given out

        def send(writer: Writer) -> Wait | None:
            lock_open_run(writer, run_no)
            expire(writer, run_no)
            ((number,),) = writer.read(wait_statements.SEND, **values)
            wait = _match_signal(writer, run_no, int(number), signal)
            sent.append((int(number), wait))
            return wait

        def find(reader: Reader) -> list[Wait | None]:
            return [
                wait for number, wait in sent if reader.read(wait_statements.SENT, signal_no=number)
            ]

        return self._database.controlling(send, find)

    def wake_settled(self, run_no: int, *, after: int) -> None:
        """Make a waiting run pending if a wait was settled meanwhile; see `Waits.wake_settled`."""

        def wake_it(writer: Writer) -> None:
            lock_run(writer, run_no)
            if writer.read(wait_statements.HAS_SETTLED, run_no=run_no, after=after):
                wake(writer, run_no)

        self._database.controlling(wake_it)

    def wake_due(self) -> None:
        """Settle due waits of waiting runs; see `Waits.wake_due`. A vain look only reads."""
        offer_arrivals(self._database)
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

    def add_links(self, links: Sequence[Link]) -> None:
        """Record links; see `Waits.add_links`."""
        values: list[SqlValue] = []
        for each in links:
            given = {"path": each.path, "who": each.who}
            checked(given, self._database.place)
            values += (each.token_hash, each.run_no, each.path, each.turn, each.who)
        self._database.controlling(lambda writer: writer.insert(wait_statements.ADD_LINKS, values))

    def link(self, token_hash: str) -> Link | None:
        """The link with a token; see `Waits.link`."""
        found = self._database.read(wait_statements.LINK, token_hash=token_hash)
        return Link(*found[0]) if found else None

    @cached_property
    def _answers(self) -> Together[int, _Answer, Wait]:
        return Together(self._answer_all)

    def _answer_all(self, run_no: int, answers: Sequence[_Answer]) -> list[Wait]:
        """Settle waits of a run in one transaction; see `Waits.answer_wait`."""

        def accept_all(writer: Writer) -> list[Wait]:
            lock_open_run(writer, run_no)
            settled: dict[WaitPlace, Wait] = {}
            for some in in_parts(answers, wait_statements.MOST_AT_ONCE):
                settled |= {each.place: each for each in answer_in_time(writer, run_no, some)}
            if len(settled) < len(answers):
                expire(writer, run_no)
            places = [(str(each["path"]), int(each["turn"] or 0)) for each in answers]
            return [settled.get(place) or wait_at(writer, run_no, *place) for place in places]

        return self._database.controlling(accept_all)

    def _expire(self, run_no: int) -> None:
        def expire_all(writer: Writer) -> None:
            lock_run(writer, run_no)
            expire(writer, run_no)

        self._database.controlling(expire_all)


def _open(
    writer: Writer, run_no: int, waits: Sequence[Mapping[str, SqlValue]]
) -> tuple[dict[WaitPlace, Wait], dict[WaitPlace, Wait]]:
    """Open the waits that aren't open or settled; return these, and all of them as they are."""
    new: dict[WaitPlace, Wait] = {}
    found: dict[WaitPlace, Wait] = {}
    for some in in_parts(waits, wait_statements.MOST_AT_ONCE):
        given = numbered(some)
        opened = map(
            to_wait, writer.read(wait_statements.open_some(len(some)), run_no=run_no, **given)
        )
        new |= {wait.place: wait for wait in opened}
        places = numbered({name: each[name] for name in ("path", "turn")} for each in some)
        listed = map(to_wait, writer.read(wait_statements.some(len(some)), run_no=run_no, **places))
        found |= {wait.place: wait for wait in listed}
    return new, found


def _asked(run_id: str, workflow: str, wait: Wait) -> Arrival:
    """The event of a question that is asked, for triggers that tell people of it."""
    data = {
        "run_id": run_id,
        "workflow": workflow,
        "task": wait.path,
        "deadline": wait.deadline,
        "question": msgspec.Raw(wait.form),
    }
    return Arrival(
        source=EVENT,
        name=ASKED,
        id=f"{run_id}/{wait.path}/{wait.turn}/{wait.opened_at}",
        data=msgspec.json.encode(data),
        by="fanwise",
    )


def _match(writer: Writer, wait: Wait) -> Wait:
    """The wait after the first signal or event that has come for it, if there is one."""
    is_open_for_signals = wait.waits_for is WaitKind.SIGNAL and wait.state is WaitState.OPEN
    if not (is_open_for_signals and wait.takes_earlier):
        return wait
    query = wait_statements.earliest_signal(len(wait.names), has_key=wait.key is not None)
    given: dict[str, SqlValue] = {f"name_{n}": name for n, name in enumerate(wait.names)}
    if wait.key is not None:
        given["match_key"] = wait.key
    for row in writer.read(query, run_no=wait.run_no, **given):
        writer.execute(wait_statements.TAKE, signal_no=int(row[0]))
        return settle_by_signal(writer, wait, to_signal(row), VIA_SIGNAL)
    return take_earlier_event(writer, wait)


def _is_open_question(wait: Wait) -> bool:
    return wait.waits_for is WaitKind.QUESTION and wait.state is WaitState.OPEN


def _match_answers(
    writer: Writer, run_no: int, waits: Sequence[Wait], check: CheckAnswer
) -> list[Wait]:
    """The waits of a locked run after the answers that were kept for those that are open."""
    kept: dict[str | None, list[Row]] = {}
    if any(map(_is_open_question, waits)):
        for row in writer.read(wait_statements.KEPT_ANSWERS, run_no=run_no):
            kept.setdefault(to_signal(row).key, []).append(row)
    return [
        _match_answer(writer, wait, kept, check) if kept and _is_open_question(wait) else wait
        for wait in waits
    ]


def _match_answer(
    writer: Writer, wait: Wait, kept: Mapping[str | None, list[Row]], check: CheckAnswer
) -> Wait:
    """The wait after the first kept answer that fits it, which is taken from those `kept`."""
    while found := [kept[path] for path in _names_of(wait) if kept.get(path)]:
        row = min(found, key=lambda rows: int(rows[0][0])).pop(0)
        writer.execute(wait_statements.TAKE, signal_no=int(row[0]))
        given = to_answer(to_signal(row))
        answer = check(wait, given)
        if answer is not None:
            return settle_by_answer(writer, wait, answer, given)
    return wait


def _names_of(wait: Wait) -> Iterable[str]:
    """The paths by which the question is meant: its own, and that without visits."""
    return dict.fromkeys((wait.path, without_visits(wait.path)))


def _match_signal(writer: Writer, run_no: int, signal_no: int, signal: Signal) -> Wait | None:
    """The first wait for a signal after that has been settled by it, if there is one."""
    quoted = names_text([signal.name])[1:-1]
    for row in writer.read(
        wait_statements.WAITS_FOR, run_no=run_no, match_key=signal.key, quoted=quoted
    ):
        writer.execute(wait_statements.TAKE, signal_no=signal_no)
        return settle_by_signal(writer, to_wait(row), signal, VIA_SIGNAL)
    return None
