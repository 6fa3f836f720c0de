"""`weft demo` and `weft bench`."""

import json
import re
import sys
from functools import partial
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from weft.bench import context
from weft.bench.suite import BENCHMARKS
from weft.cli.demos import DEMOS
from weft.demos.logs import writing


def test_the_demo_compares_its_counts_with_the_servers_own(weft):
    """Everything that it prints comes from a real run, which can be looked at afterwards."""
    told = weft("demo", "monitor", "--servers", "100", "--json")
    assert told.status == 0
    demo = json.loads(told.out)["monitor"]
    assert (demo["status"], demo["failed"]) == ("succeeded", None)
    figures = demo["figures"]
    assert figures["servers"] == 100
    assert figures["failed"] == figures["failing"] == 3
    assert figures["succeeded"] == 97
    assert figures["recovered"] == 4
    assert figures["requests"] >= figures["attempts"] > 100
    assert 1 < figures["most_at_once"] <= 50
    assert figures["item_context_bytes"] == 40
    assert figures["median_s"] <= figures["p95_s"]
    failed = weft("items", demo["run_id"], "check_health", "--status", "failed", "--json").out
    assert len(failed.splitlines()) == 3


def test_the_log_pipeline_finds_what_the_server_has_answered(weft):
    """Status codes and broken lines are compared with what was really written."""
    told = weft("demo", "logs", "--lines", "300", "--json")
    assert told.status == 0
    demo = json.loads(told.out)["logs"]
    assert (demo["status"], demo["failed"]) == ("succeeded", None)
    figures = demo["figures"]
    assert figures["report"]["statuses"] == figures["answers"]
    assert figures["failed"] == figures["cut"] == 3
    assert figures["lines"] == sum(figures["answers"].values()) + 3 > 300
    assert figures["report"]["slowest"]
    assert figures["report"]["errors"]
    failed = weft("items", demo["run_id"], "process_entries", "--status", "failed").out
    assert failed.count("BadEntry") == 3


def test_a_demo_whose_workflow_finds_what_is_not_true_fails(weft, monkeypatch: pytest.MonkeyPatch):
    """The run succeeded, and the demo says in what it was wrong."""
    ask = writing.ask_stats
    monkeypatch.setattr(
        writing, "ask_stats", lambda url: replace(ask(url), by_status={200: 5, 404: 1})
    )
    told = weft("demo", "logs", "--lines", "100")
    assert told.status == 1
    assert "found what isn't true: it counted the statuses 200: " in told.err
    assert "but the server 200: 6, 404: 1." in told.err


def test_all_demos_end_with_one_table(weft):
    """It has a line for each."""
    told = weft("demo", "--servers", "30", "--lines", "100")
    assert told.status == 0
    table = told.out.rpartition("\n\n")[2].splitlines()
    assert table[0].split() == ["DEMO", "STATUS", "WHAT", "TIME"]
    assert [line.split()[:2] for line in table[1:]] == [[name, "succeeded"] for name in DEMOS]


def test_the_demo_tells_where_to_look_further(weft):
    """Commands that work, and the files to copy."""
    out = weft("demo", "monitor", "--servers", "30").out
    found = re.search(r"weft show (\S+)", out)
    assert found
    assert weft("show", found[1]).status == 0
    assert re.search(r"the workflow +\S+/demos/monitor/workflow\.yaml", out)


def test_a_server_that_cannot_start_is_one_line(weft, monkeypatch: pytest.MonkeyPatch):
    """There is no traceback and no run."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    told = weft("demo", "monitor")
    assert told.status == 2
    assert "the demo's server didn't start" in told.err
    assert "Traceback" not in told.err


def test_a_size_of_another_demo_is_refused(weft):
    """An option that would change nothing isn't passed over."""
    told = weft("demo", "logs", "--servers", "5")
    assert told.status == 2
    assert told.err == "a size of the demo monitor says nothing to the demo logs.\n"


@pytest.mark.parametrize("command", ["demo", "bench"])
def test_an_unknown_name_is_answered_with_those_there_are(weft, command: str):
    """In one line."""
    told = weft(command, "nothing")
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert re.search(r"(There are|The demos:) \w+", told.err)


def test_a_benchmark_prints_tables_or_figures(weft):
    """What was measured, and what was promised."""
    assert "Jinja2" in weft("bench", "render", "--rounds", "1").out
    results = json.loads(weft("bench", "render", "--rounds", "1", "--json").out)
    assert results["render"]["figures"]["paths"]["rounds"] == 1
    assert {"what", "limit", "measured", "met"} <= set(results["render"]["budgets"][0])


def test_the_benchmarks_can_be_listed(weft):
    """Nothing is measured then."""
    names = [line.split()[0] for line in weft("bench", "--list").out.splitlines()]
    assert names == list(BENCHMARKS)
    assert names[0] == "context"


def test_a_benchmark_draws_its_figures_into_a_file(weft, folder, monkeypatch: pytest.MonkeyPatch):
    """An SVG picture, beside the tables; here of a measurement that is over soon."""
    small = {"items": 20, "context_bytes": 10_000, "sizes_bytes": (1_000,), "copied": (1, 2)}
    monkeypatch.setattr(context, "compare", partial(context.compare, **small, shared=(1, 2)))

    told = weft("bench", "context", "--rounds", "1", "--svg", "memory.svg")

    assert told.status == 0
    assert "0 to 20 items" in told.out
    assert "memory.svg" in told.err
    assert ElementTree.parse(folder / "memory.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["render", "--svg", "a.svg"], "weft bench context --svg a.svg"),
        (["--svg", "a.svg"], "weft bench context --svg a.svg"),
        (["context", "--svg", "no/a.svg"], "no folder no"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_measured(weft, arguments, hint):
    """In one line that says what can."""
    told = weft("bench", *arguments)
    assert told.status == 2
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert hint in told.err
