"""`fanwise demo` and `fanwise bench`."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from fanwise.bench.suite import BENCHMARKS
from fanwise.demos import DEMOS
from fanwise.demos.logs import writing


def test_the_demo_compares_its_counts_with_the_servers_own(fanwise):
    """Everything that it prints comes from a real run, which can be looked at afterwards."""
    told = fanwise("demo", "monitor", "--servers", "100", "--json")
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
    failed = fanwise("items", demo["run_id"], "check_health", "--status", "failed", "--json").out
    assert len(failed.splitlines()) == 3


def test_the_log_pipeline_finds_what_the_server_has_answered(fanwise):
    """Status codes and broken lines are compared with what was really written."""
    told = fanwise("demo", "logs", "--lines", "300", "--json")
    assert told.status == 0
    demo = json.loads(told.out)["logs"]
    assert (demo["status"], demo["failed"]) == ("succeeded", None)
    figures = demo["figures"]
    assert figures["report"]["statuses"] == figures["answers"]
    assert figures["failed"] == figures["cut"] == 3
    assert figures["lines"] == sum(figures["answers"].values()) + 3 > 300
    assert figures["report"]["slowest"]
    assert figures["report"]["errors"]
    failed = fanwise("items", demo["run_id"], "process_entries", "--status", "failed").out
    assert failed.count("BadEntry") == 3


def test_a_demo_whose_workflow_finds_what_is_not_true_fails(
    fanwise, monkeypatch: pytest.MonkeyPatch
):
    """The run succeeded, and the demo says in what it was wrong."""
    ask = writing.ask_stats
    monkeypatch.setattr(
        writing, "ask_stats", lambda url: replace(ask(url), by_status={200: 5, 404: 1})
    )
    told = fanwise("demo", "logs", "--lines", "100")
    assert told.status == 1
    assert "found what isn't true: it counted the statuses 200: " in told.err
    assert "but the server 200: 6, 404: 1." in told.err


def test_all_demos_end_with_one_table(fanwise):
    """It has a line for each."""
    told = fanwise("demo", "--servers", "30", "--lines", "100", "--messages", "30")
    assert told.status == 0
    table = told.out.rpartition("\n\n")[2].splitlines()
    assert table[0].split() == ["DEMO", "STATUS", "WHAT", "TIME"]
    assert [line.split()[:2] for line in table[1:]] == [[name, "succeeded"] for name in DEMOS]


def test_the_demo_tells_where_to_look_further(fanwise):
    """Commands that work, and the files to copy."""
    out = fanwise("demo", "monitor", "--servers", "30").out
    found = re.search(r"fanwise show (\S+)", out)
    assert found
    assert fanwise("show", found[1]).status == 0
    assert re.search(r"the workflow +\S+/demos/monitor/workflow\.yaml", out)


def test_a_server_that_cannot_start_is_one_line(fanwise, monkeypatch: pytest.MonkeyPatch):
    """There is no traceback and no run."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    told = fanwise("demo", "monitor")
    assert told.status == 2
    assert "the demo's server didn't start" in told.err
    assert "Traceback" not in told.err


def test_a_size_of_another_demo_is_refused(fanwise):
    """An option that would change nothing isn't passed over."""
    told = fanwise("demo", "logs", "--servers", "5")
    assert told.status == 2
    assert told.err == "a size of the demo monitor says nothing to the demo logs.\n"


@pytest.mark.parametrize("command", ["demo", "bench"])
def test_an_unknown_name_is_answered_with_those_there_are(fanwise, command: str):
    """In one line."""
    told = fanwise(command, "nothing")
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert re.search(r"(There are|The demos:) \w+", told.err)


def test_a_benchmark_prints_tables_or_figures(fanwise):
    """What was measured, and what was promised."""
    assert "Jinja2" in fanwise("bench", "render", "--rounds", "1").out
    results = json.loads(fanwise("bench", "render", "--rounds", "1", "--json").out)
    assert results["render"]["figures"]["paths"]["rounds"] == 1
    assert {"what", "limit", "measured", "met"} <= set(results["render"]["budgets"][0])


def test_the_benchmarks_can_be_listed(fanwise):
    """Nothing is measured then."""
    names = [line.split()[0] for line in fanwise("bench", "--list").out.splitlines()]
    assert names == list(BENCHMARKS)
    assert names[0] == "context"


def test_commands_to_copy_name_the_program_that_is_there(
    fanwise, monkeypatch: pytest.MonkeyPatch, tmp_path
):
    """As it was called, as in `make demo`, if no `fanwise` is on the path; else by its name."""
    monkeypatch.setattr(sys, "argv", [".venv/bin/fanwise"])
    monkeypatch.setenv("PATH", str(tmp_path))
    out = fanwise("demo", "logs", "--lines", "100").out
    assert re.findall(r"(\S*fanwise) (show|items|demo) ", out) == [
        (".venv/bin/fanwise", word) for word in ("show", "items", "demo")
    ]
    program = tmp_path / "fanwise"
    program.touch(mode=0o755)
    assert " fanwise show " in fanwise("demo", "logs", "--lines", "100").out


def test_the_demos_can_serve_themselves(folder):
    """Their workflows run by their own schedules until they are stopped, and their store goes."""
    sizes = ["--servers", "20", "--lines", "200", "--messages", "20"]
    command = [sys.executable, "-m", "fanwise", "demo", "--serve", *sizes]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told, left = [], {"monitor", "logs", "notify"}
        for line in process.stderr:
            told.append(line)
            done = re.match(r"(\w+)-\S+  has succeeded", line)
            if done and left:
                left.discard(done[1])
                if not left:  # once: a second signal would cut all off
                    process.send_signal(signal.SIGTERM)
        assert process.wait() == 0, told
    store = re.search(r"--store (\S+)", "".join(told))
    assert store
    assert not Path(store[1]).parent.exists()
    assert not (folder / "runs.db").exists()
    assert any("monitor/every_five_seconds  fired" in line for line in told)
