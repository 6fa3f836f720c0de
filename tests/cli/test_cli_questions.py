"""Questions: who may answer, a rejection that fails, and the request that tells of a question."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fanwise.errors import NotAskedError
from fanwise.system import user_name
from fanwise.wiring import open_records, read_settings

FOUR_EYES = """
name: four_eyes
tasks:
  - {name: ask, action: core.ask, timeout: 3d, input: {prompt: "Deploy?", not-starter: true}}
output: "{{ task.ask.output.by }}"
"""
NOTIFY = """
tasks:
  - name: ask
    action: core.ask
    timeout: 3d
    with-items: [eu, us]
    input:
      prompt: "Deploy to {{ item }}?"
      who: ada
      notify: {url: "{{ secrets.CHAT }}", headers: {X-Room: ops}}
output: "{{ task.ask.output | map(attribute='choice') }}"
"""


class Chat:
    """An address that takes what it is told, and answers with a status."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.rooms: list[str | None] = []
        self.status = 200
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                chat.told.append(json.loads(body))
                chat.rooms.append(self.headers["X-Room"])
                self.send_response(chat.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/room"


@pytest.fixture
def chat(monkeypatch) -> Iterator[Chat]:
    chat = Chat()
    thread = threading.Thread(target=chat.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("FANWISE_SECRET_CHAT", chat.url)
    monkeypatch.setenv("FANWISE_PUBLIC_URL", "https://f.example.com")
    yield chat
    chat.server.shutdown()
    thread.join()
    chat.server.server_close()


def test_who_has_started_a_run_may_not_answer_it(fanwise, write) -> None:
    """The question stays open, and others may."""
    write(**{"flow.yaml": FOUR_EYES})
    fanwise("run", "flow.yaml", "--run-id", "r")
    me = user_name()
    told = fanwise("approve", "r", "ask")
    assert (told.status, told.out) == (2, "")
    assert told.err == (
        f"r ask  the question isn't for {me}, who has started the run. "
        "Somebody else has to answer it.\n"
    )
    assert fanwise("asks", "--mine").out == "No run waits for an answer or a signal.\n"
    assert "Deploy?" in fanwise("asks", "--mine", "--by", "grace").out
    links = ("asks", "--links", "--public-url", "https://f.example.com")
    assert fanwise(*links).out == "No run asks anything.\n"  # whoever had it could be anybody
    assert fanwise("approve", "r", "ask", "--by", "grace").status == 0
    assert fanwise("resume", "r").out == '"grace"\n'


def test_who_has_submitted_a_run_or_fired_its_trigger_has_started_it(fanwise, write) -> None:
    """A run of a schedule's own time is started by nobody."""
    write(**{"flow.yaml": FOUR_EYES + "on: {each: {schedule: {every: 1m}}}\n"})
    fanwise("trigger", "each", "--at", "2026-03-05T09:07")
    fanwise("backfill", "each", "--from", "2026-03-05T09:08", "--to", "2026-03-05T09:09")
    fanwise("submit", "flow.yaml", "--run-id", "r")
    ids = ("r", "four_eyes-20260305-090700", "four_eyes-20260305-090800")
    with open_records(read_settings()) as records:
        starters = [run.origin.starter for each in ids if (run := records.run(each)) is not None]
    assert starters == [user_name(), user_name(), ""]


def test_python_refuses_who_has_started_the_run(fanwise, write) -> None:
    """With an error of its own."""
    import fanwise as python

    write(**{"flow.yaml": FOUR_EYES})
    fanwise("run", "flow.yaml", "--run-id", "r")
    with pytest.raises(NotAskedError) as refused:
        python.answer("r", "ask", "approve")
    assert (refused.value.run_id, refused.value.code) == ("r", "not-asked")


def test_a_rejection_fails_the_task_if_it_is_to(fanwise, write) -> None:
    """Once, whatever its retry says, and by whom it came."""
    write(
        **{
            "flow.yaml": """
tasks:
  - name: ask
    action: core.ask
    timeout: 3d
    retry: {count: 3}
    input: {prompt: "?", reject: fail, answer: {why: {type: string}}}
""",
        }
    )
    fanwise("run", "flow.yaml", "--run-id", "r")
    fanwise("reject", "r", "ask", "--by", "ada", "-p", "why=late")
    assert fanwise("resume", "r").status == 1
    error = json.loads(fanwise("show", "r", "--json").out)["tasks"]["ask"]["error"]
    assert (error["type"], error["message"]) == ("Rejected", "rejected by ada")
    assert error["data"]["answer"] == {"why": "late"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("reject: fail, options: [yes, no]", 'input "reject" of core.ask needs the option'),
        ("reject: ignore", 'input "reject" of core.ask should be'),
        ("notify: {to: x}", 'input "notify" of core.ask takes {url: ..., headers: {...}}.'),
        ("not-starter: true, not_starter: true", 'core.ask has no parameter "not-starter".'),
    ],
)
def test_inputs_that_can_not_be_are_told(fanwise, write, given: str, message: str) -> None:
    """Before the run, if they stand in the file as they are."""
    text = f"tasks: [{{name: ask, action: core.ask, timeout: 1h, input: {{prompt: p, {given}}}}}]\n"
    write(**{"flow.yaml": text})
    told = fanwise("run", "flow.yaml")
    assert message in told.err
    assert told.status in (1, 2)


def test_a_question_is_told_once_with_its_link(fanwise, write, chat: Chat) -> None:
    """However often its run is resumed while it is open; the address isn't recorded."""
    write(**{"flow.yaml": NOTIFY})
    assert fanwise("run", "flow.yaml", "--run-id", "r").status == 3
    told = {each["path"]: each for each in chat.told}
    assert sorted(told) == ["ask[0]", "ask[1]"]
    assert set(chat.rooms) == {"ops"}
    one = told["ask[1]"]
    link = one["links"]["ada"]
    assert link.startswith("https://f.example.com/ask/")
    assert one["text"] == f"Deploy to us?\nada: {link}"
    assert (one["run_id"], one["options"]) == ("r", ["approve", "reject"])
    assert one["prompt"] == "Deploy to us?"
    assert fanwise("approve", "r", "ask[0]").status == 0
    assert fanwise("resume", "r").status == 3
    assert len(chat.told) == 2
    assert chat.url not in fanwise("asks", "--json").out
    fanwise("reject", "r", "ask[1]")
    assert json.loads(fanwise("resume", "r").out) == ["approve", "reject"]


def test_without_a_server_the_command_is_told(fanwise, write, chat: Chat, monkeypatch) -> None:
    """A link needs the URL of a server."""
    monkeypatch.delenv("FANWISE_PUBLIC_URL")
    write(**{"flow.yaml": NOTIFY})
    fanwise("run", "flow.yaml", "--run-id", "r")
    texts = {each["text"] for each in chat.told}
    assert "Deploy to eu?\nfanwise answer r ask[0]" in texts
    assert {json.dumps(each["links"]) for each in chat.told} == {"{}"}


@pytest.mark.parametrize("status", [302, 500])
def test_a_question_that_can_not_be_told_is_not_asked(
    fanwise, write, chat: Chat, status: int
) -> None:
    """Its attempt fails with the error of the request, which a retry may mend."""
    chat.status = status
    write(**{"flow.yaml": NOTIFY})
    assert fanwise("run", "flow.yaml", "--run-id", "r").status == 1
    error = json.loads(fanwise("items", "r", "ask", "--json").out.splitlines()[0])["error"]
    assert error["type"] == "UnexpectedStatus"
    assert fanwise("asks").out == "No run waits for an answer or a signal.\n"
