"""`fanwise emit` and `fanwise.emit`."""

from __future__ import annotations

import json

import fanwise as python
from fanwise.runs import emit_all

WAIT = """
tasks:
  - {name: paid, action: core.wait, timeout: 1h, input: {event: [paid, waived], key: k}}
output: "{{ task.paid.output }}"
"""


def test_an_event_ends_a_wait(fanwise, write) -> None:
    """Of its name and key; the run goes on as after a signal."""
    write(**{"wait.yaml": WAIT})
    fanwise("run", "wait.yaml", "--run-id", "r")
    assert python.emit("paid", 1, key="other")
    told = fanwise("emit", "paid", "--data", '{"sum": 3}', "--key", "k", "--by", "ada", "--id", "e")
    assert (told.status, told.out) == (0, "e\n")
    found = json.loads(fanwise("resume", "r").out)
    assert (found["name"], found["payload"], found["by"]) == ("paid", {"sum": 3}, "ada")


def test_an_event_is_emitted_once(fanwise) -> None:
    """Its id tells, and it says so."""
    assert json.loads(fanwise("emit", "a", "--id", "1", "--json").out) == {
        "name": "a",
        "id": "1",
        "is_new": True,
    }
    assert fanwise("emit", "a", "--id", "1").out == "Its id is known already: 1\n"
    assert not python.emit("a", id="1")
    assert [each.is_new for each in emit_all("a", [1, 2, 3])] == [True] * 3


def test_each_line_of_a_file_is_an_event(fanwise, write) -> None:
    """Blank ones aside; a line that is wrong is told with its place."""
    write(**{"good.jsonl": '1\n\n{"a": 2}\n', "bad.jsonl": "1\n{\n"})
    assert fanwise("emit", "a", "--lines", "good.jsonl").out == "2 events a are recorded.\n"
    told = fanwise("emit", "a", "--lines", "bad.jsonl")
    assert told.status == 2
    assert told.err.startswith("bad.jsonl:2 is no JSON.")


def test_what_cannot_be_an_event_is_told(fanwise) -> None:
    """In one line, with the status 2."""
    for given, words in (
        (["fanwise.x"], 'no event can be named "fanwise.x"'),
        ([" "], "the name of an event is a text of 1 to 200 characters"),
        (["a", "--data", "{"], "the value of --data is no JSON"),
        (["a", "--id", ""], "the id of an event"),
        (["a", "--lines", "nothing"], "nothing  can't be read"),
        (["a", "--lines", "-", "--id", "1"], "--lines gives the data"),
        (["a", "--data", json.dumps("x" * 2**20)], "limits.event_bytes"),
    ):
        told = fanwise("emit", *given)
        assert (told.status, told.out) == (2, ""), given
        assert words in told.err
        assert told.err.count("\n") == 1
