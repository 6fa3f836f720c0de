"""Plays the notification demo: a workflow sends e-mails, and a mail server counts them."""

from __future__ import annotations

from fanwise.cli.demos.notify_figures import NotifyFigures, measure
from fanwise.cli.demos.stage import Played, Stage, demo_folder
from fanwise.cli.output import say
from fanwise.cli.render import show_span
from fanwise.cli.summary import command
from fanwise.demos.notify.mail_log import count_mail, read_log
from fanwise.demos.notify.people import make_people
from fanwise.demos.process import serving
from fanwise.model import Status
from fanwise.wiring import open_records

_SEED = 7
_TASK = "send_batch"


def play(stage: Stage) -> Played:
    """Send `stage.size` messages, and compare with what the mail server has written down."""
    say(f"Starting a server for the users and one for {stage.size:,} of their mailboxes ...")
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
    with open_records(stage.settings) as records:
        figures = measure(
            records, done, _TASK, count_mail(read_log(log)), make_people(stage.size, _SEED)
        )
    failed = command("items", done.id, _TASK, "--status", "failed", store=stage.store)
    return Played(
        done,
        headline=f"{figures.sent:,} e-mails sent, {_rate(figures)}",
        rows=_rows(figures),
        figures=figures,
        failed=judge(figures),
        further=[("what failed", failed)],
    )


def judge(figures: NotifyFigures) -> str | None:
    """What isn't as it should be, or None."""
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
