"""The notification demo's workflow, against its real servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import fanwise
import fanwise.demos.notify
from fanwise.demos.notify.mail_log import Entry, count_mail, read_log
from fanwise.demos.notify.people import make_people
from fanwise.demos.process import serving
from fanwise.model import ItemOutcome, Status
from fanwise.packs.folders import load_actions
from fanwise.stores import open_store
from fanwise.values import decode, freeze

WORKFLOW = Path(fanwise.demos.notify.__file__).parent / "workflow.yaml"


class Sent(NamedTuple):
    """What came of a run, item by item, and what the mail server has written down."""

    run: fanwise.Run
    items: list[ItemOutcome]
    log: list[Entry]

    def errors(self) -> Counter[str]:
        """How many items failed, by the type of their error."""
        return Counter(decode(item.error)["type"] for item in self.items if item.error)

    def message_ids(self, status: Status) -> set[str]:
        return {
            decode(item.output)["message_id"]
            for item in self.items
            if item.status is status and item.output
        }


@contextmanager
def servers(folder: Path, messages: int, *options: object) -> Iterator[dict[str, Any]]:
    """Both servers, and the parameters that name them."""
    people = ("--messages", messages)
    log = ("--log", folder / "mail.log")
    with (
        serving("fanwise.demos.notify.users_server", *people) as users,
        serving("fanwise.demos.notify.mail_server", *people, *log, *options) as smtp,
    ):
        yield {"users": users, "smtp": smtp}


def send(folder: Path, messages: int, *options: object) -> Sent:
    url = f"sqlite:///{folder / 'runs.db'}"
    with servers(folder, messages, *options) as parameters:
        done = fanwise.run(WORKFLOW, parameters, store=url)
    with open_store(url, read_only=True) as records:
        record = records.run(done.id)
        assert record is not None
        (task,) = [each for each in records.tasks(record.run_no) if each.path == "send_batch"]
        items = list(records.items(record.run_no, task.visit_no, after=-1, limit=messages))
    return Sent(done, items, list(read_log(folder / "mail.log")))


def test_everybody_who_wants_news_gets_one_message(tmp_path: Path) -> None:
    """Those whose mailbox is busy after a retry; those who have none are told with a type."""
    sent = send(tmp_path, 400)
    interested = [each for each in make_people(400, 7) if each.active and each.subscribed]
    reachable = [each.email for each in interested if each.email and not each.is_gone]
    counts = count_mail(sent.log)
    assert sent.run.status is Status.SUCCEEDED
    assert counts.taken == dict.fromkeys(reachable, 1)
    assert sent.run.output == {"users": 500, "messages": 400, "sent": 396, "failed": 4}
    assert sent.errors() == {"BadAddress": 2, "Refused": 2}
    assert len(counts.put_off) == 16
    assert counts.most_open <= 20
    assert sent.message_ids(Status.SUCCEEDED) == {
        entry.message_id for entry in sent.log if entry.what == "taken"
    }


def test_nothing_is_lost_when_the_mail_server_dies(tmp_path: Path) -> None:
    """The run fails, says of each message what is known, and sends none twice."""
    sent = send(tmp_path, 300, "--die-after", 100)
    counts = count_mail(sent.log)
    assert sent.run.status is Status.FAILED
    assert sent.run.error is not None
    assert sent.run.error.type == "TaskFailed"
    assert set(counts.taken.values()) == {1}
    items = sent.run.tasks["send_batch"].items
    assert items is not None
    assert items.succeeded + items.failed == len(sent.items) <= items.total == 300
    errors = sent.errors()
    assert errors["ConnectionFailed"] > 6  # which is what the workflow tolerates
    assert set(errors) <= {"BadAddress", "ConnectionFailed", "Refused", "Unconfirmed"}
    taken = {entry.message_id for entry in sent.log if entry.what == "taken"}
    known = sent.message_ids(Status.SUCCEEDED)
    assert known <= taken
    assert len(taken - known) <= errors["Unconfirmed"] <= 20


def test_users_that_cannot_be_fetched_end_the_run(tmp_path: Path) -> None:
    """Nobody is written to then, since nobody knows how many there are."""
    with servers(tmp_path, 10) as parameters:
        parameters["users"] += "?page=9"
        done = fanwise.run(WORKFLOW, parameters, store=f"sqlite:///{tmp_path / 'runs.db'}")
    assert done.status is Status.FAILED
    assert done.tasks["fetch_users"].status is Status.FAILED
    assert done.tasks["send_batch"].status is Status.BLOCKED
    assert not count_mail(read_log(tmp_path / "mail.log")).taken


@pytest.mark.parametrize(
    ("language", "greeting"),
    [("en", "Dear Zoë"), ("de", "Guten Tag Zoë"), ("fr", "Bonjour Zoë"), ("it", "Dear Zoë")],
)
def test_a_message_is_in_the_users_language(language: str, greeting: str) -> None:
    """English stands in for those that nobody has written; the address may be missing."""
    spec = load_actions(workflow_file=WORKFLOW, pack_folders=[]).get("notify.prepare_messages")
    assert spec is not None
    user = {"id": 7, "name": "Zoë", "email": None, "language": language}
    (message,) = spec.function(freeze([user]))
    assert message["text"].startswith(greeting)
    assert message["subject"]
    assert (message["user"], message["to"]) == (7, None)


def test_a_user_of_whom_little_is_known_gets_a_message_in_english() -> None:
    """Neither an address nor a language need be given."""
    spec = load_actions(workflow_file=WORKFLOW, pack_folders=[]).get("notify.prepare_messages")
    assert spec is not None
    (message,) = spec.function(freeze([{"id": 7, "name": "Zoë"}]))
    assert message["text"].startswith("Dear Zoë")
    assert message["to"] is None
