"""Commands that messages show: each works as it is printed, on the store that was meant."""

from __future__ import annotations

import re
import shlex

import pytest

from fanwise.cli.text.remedies import copyable

FLOW = """\
tasks:
  - {name: each, action: core.echo, with-items: {jsonl: f.jsonl}, bad-records: skip}
"""
TEXTS = [
    ("Look at it with: fanwise show r1", "Look at it with: fanwise show r1 --store 's 1.db'"),
    (
        "Stop it: fanwise pause r1, fanwise cancel r1",
        "Stop it: fanwise pause r1 --store 's 1.db', fanwise cancel r1 --store 's 1.db'",
    ),
    ("`fanwise runs` lists them.", "`fanwise runs --store 's 1.db'` lists them."),
    ("Check it: fanwise db check; or not.", "Check it: fanwise db check --store 's 1.db'; or not."),
    ("Do fanwise show r1 or nothing", "Do fanwise show r1 --store 's 1.db' or nothing"),
    ("fanwise retry r1 --from TASK Or so", "fanwise retry r1 --from TASK --store 's 1.db' Or so"),
]
UNCHANGED = [
    "To resume it alone: fanwise resume r1 --store other.db",
    "This is a bug in fanwise.",
    "fanwise validate flow.yaml",
    "/root/.local/share/fanwise/fanwise.db: there is no store.",
]


@pytest.mark.parametrize(("text", "shown"), TEXTS)
def test_a_command_is_shown_with_the_store_that_was_named(text, shown):
    """Where it ends, as the sentence may go on."""
    assert copyable(text, ["show", "r1", "--store", "s 1.db"]) == shown
    assert copyable(text, ["show", "--store=s 1.db"]) == shown


@pytest.mark.parametrize("text", UNCHANGED)
def test_all_else_stays_as_it_is(text):
    """Commands that take no store, that have one, and words that are none."""
    assert copyable(text, ["show", "r1", "--store", "s 1.db"]) == text


def test_without_a_store_or_with_a_password_none_is_shown():
    """A command without it still says what to do."""
    url = "postgresql://ada:s3cret@db/runs"
    for words in (["show", "r1"], ["show", "r1", "--store", url]):
        assert copyable("See: fanwise show r1", words) == "See: fanwise show r1"


def test_a_server_stands_in_the_commands_that_take_one():
    """Others are for who is where its store is."""
    words = ["--server", "http://h:1", "show", "r1"]
    text = "Start one with: fanwise work, or see fanwise show r1; else: fanwise db upgrade"
    shown = text.replace("show r1", "show r1 --server http://h:1")
    assert copyable(text, words) == shown


def test_each_command_that_is_shown_works_as_it_is_printed(fanwise, write, monkeypatch):
    """On the store of the command line, whatever the environment names."""
    write(**{"flow.yaml": FLOW, "f.jsonl": "1\noops\n"})
    monkeypatch.delenv("FANWISE_STORE")
    there = ("--store", "my runs.db")
    told = [
        fanwise("run", "flow.yaml", "--run-id", "r1", *there),
        fanwise("run", "flow.yaml", "--run-id", "r1", *there),
        fanwise("resume", "r1", *there),
        fanwise("retry", "r1", *there),
        fanwise("pause", "r1", *there),
        fanwise("show", "nothing", *there),
    ]
    shown = {
        command.replace("TASK", "each")
        for each in told
        for command in re.findall(r"fanwise (\w+(?: [^\s`,;]+)* --store 'my runs\.db')", each.err)
    }
    assert {command.split()[0] for command in shown} >= {"logs", "show", "retry", "runs"}
    for command in shown:
        assert fanwise(*shlex.split(command)).status == 0, command
