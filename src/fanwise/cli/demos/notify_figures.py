"""What the notification demo measures, next to what its mail server has written down."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fanwise.cli.demos.spans import read_spans
from fanwise.cli.recorded import find_run, find_visit
from fanwise.demos.notify.mail_log import MailCounts
from fanwise.demos.notify.people import Person
from fanwise.model import Run
from fanwise.ports import Records


class NotifyFigures(msgspec.Struct, frozen=True):
    """What was measured, and what is true.

    `taken`, `duplicates`, `put_off`, `put_offs`, `connections` and `most_open` are the mail
    server's own counts; `strayed` are messages that it took for users who want none. `unreachable`
    users have no address, or a mailbox that is gone.
    """

    users: int
    pages: int
    messages: int
    sent: int
    failed: int
    attempts: int
    recovered: int
    taken: int
    duplicates: int
    strayed: int
    put_off: int
    put_offs: int
    unreachable: int
    connections: int
    most_open: int
    run_s: float
    fan_out_s: float
    median_s: float
    p95_s: float


def measure(
    records: Records, run: Run, task: str, mail: MailCounts, people: Sequence[Person]
) -> NotifyFigures:
    """The figures of a run that succeeded in sending to `people`."""
    sending = run.tasks[task]
    assert sending.items is not None  # it succeeded, and has items
    assert sending.started_at is not None
    assert sending.ended_at is not None
    interested = [person for person in people if person.active and person.subscribed]
    reachable = {person.email for person in interested if person.email and not person.is_gone}
    spans = read_spans(records, run.id, task)
    return NotifyFigures(
        users=run.output["users"],
        pages=find_visit(records, find_run(records, run.id), "fetch_users").visit,
        messages=sending.items.total,
        sent=sending.items.succeeded,
        failed=sending.items.failed,
        attempts=sending.attempts,
        recovered=spans.recovered,
        taken=mail.taken.total(),
        duplicates=mail.taken.total() - len(mail.taken),
        strayed=len(mail.taken.keys() - reachable),
        put_off=len(mail.put_off),
        put_offs=mail.put_off.total(),
        unreachable=len(interested) - len(reachable),
        connections=mail.connections,
        most_open=mail.most_open,
        run_s=run.duration_s or 0.0,
        fan_out_s=sending.ended_at - sending.started_at,
        median_s=spans.median_s,
        p95_s=spans.p95_s,
    )
