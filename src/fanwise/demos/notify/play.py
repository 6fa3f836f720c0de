"""Plays the notification demo: a workflow sends e-mails, and a mail server counts them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fanwise.demos.measures import read_spans
from fanwise.demos.notify.mail_server import MailCounts, count_mail, read_log
from fanwise.demos.notify.people import Person, make_people
from fanwise.demos.process import serving
from fanwise.demos.stage import DemoStage, Played, demo_folder
from fanwise.model import Run, Status
from fanwise.ports import Records
from fanwise.reports.lookup import find_run, find_visit
from fanwise.units import show_span


class NotifyFigures(msgspec.Struct, frozen=True):
    """The measurements, and the truth.

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


_SEED = 7
_TASK = "send_batch"


def play(stage: DemoStage) -> Played:
    """Send `stage.size` messages, and compare with what the mail server has written down."""
    stage.say(f"Starting a server for the users and one for {stage.size:,} of their mailboxes ...")
    log = stage.folder / "mail.log"
    people = ("--messages", stage.size, "--seed", _SEED)
    with (
        serving("fanwise.demos.notify.users_server", *people) as users,
        serving("fanwise.demos.notify.mail_server", *people, "--log", log) as smtp,
    ):
        parameters = {"users": users, "smtp": smtp}
        done = stage.run(demo_folder("notify") / "workflow.yaml", parameters)
    if done.status is not Status.SUCCEEDED:
        return Played(done)
    with stage.records() as records:
        figures = measure(
            records, done, _TASK, count_mail(read_log(log)), make_people(stage.size, _SEED)
        )
    failed = stage.command("items", done.id, _TASK, "--status", "failed")
    return Played(
        done,
        headline=f"{figures.sent:,} e-mails sent, {_rate(figures)}",
        rows=_rows(figures),
        figures=figures,
        failed=judge(figures),
        further=[("what failed", failed)],
    )


def judge(figures: NotifyFigures) -> str | None:
    """Return the difference from the truth, or None."""
    if figures.duplicates:
        return f"{figures.duplicates:,} messages were sent twice"
    if figures.sent != figures.taken or figures.strayed:
        return (
            f"it sent {figures.sent:,} messages, but the server took {figures.taken:,}, "
            f"{figures.strayed:,} of them for users who want none"
        )
    if figures.failed != figures.unreachable:
        return (
            f"{figures.failed:,} messages failed, but {figures.unreachable:,} users have no mailbox"
        )
    return None


def _rate(figures: NotifyFigures) -> str:
    return f"{figures.sent / figures.fan_out_s:,.0f}/s"


def _rows(figures: NotifyFigures) -> list[tuple[str, str]]:
    return [
        (
            "users",
            f"{figures.users:,} fetched in {figures.pages:,} pages, "
            f"{figures.messages:,} of them active and subscribed",
        ),
        (
            "sent",
            f"{figures.sent:,} in {show_span(figures.fan_out_s)}, {_rate(figures)}; "
            f"the server took {figures.taken:,}, {figures.duplicates:,} of them twice",
        ),
        (
            "put off",
            f"{figures.put_off:,} mailboxes were busy, {figures.put_offs:,} times in all; "
            f"{figures.recovered:,} messages were sent after a retry",
        ),
        ("failed", f"{figures.failed:,}; {figures.unreachable:,} users have no mailbox"),
        (
            "connections",
            f"{figures.connections:,} for all attempts, {figures.attempts:,}; "
            f"at most {figures.most_open:,} open at once",
        ),
        (
            "a message's time",
            f"median {show_span(figures.median_s)}, 95 % within {show_span(figures.p95_s)}",
        ),
        ("the whole run", show_span(figures.run_s)),
    ]
