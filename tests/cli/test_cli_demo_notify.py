"""`fanwise demo notify`."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from fanwise.demos.notify.play import NotifyFigures, judge


def test_the_demo_compares_what_it_sent_with_what_the_server_took(fanwise):
    """Everything that it prints comes from a real run, which can be looked at afterwards."""
    told = fanwise("demo", "notify", "--messages", "250", "--json")
    assert told.status == 0
    demo = json.loads(told.out)["notify"]
    assert (demo["status"], demo["failed"]) == ("succeeded", None)
    figures = demo["figures"]
    assert (figures["users"], figures["pages"], figures["messages"]) == (312, 1, 250)
    assert figures["sent"] == figures["taken"] == 247
    assert figures["failed"] == figures["unreachable"] == 3
    assert figures["duplicates"] == figures["strayed"] == 0
    assert figures["put_off"] == figures["recovered"] == 10
    assert figures["attempts"] == 250 + figures["put_offs"]
    assert 1 <= figures["most_open"] <= figures["connections"] <= 20
    assert figures["median_s"] <= figures["p95_s"]
    failed = fanwise("items", demo["run_id"], "send_batch", "--status", "failed", "--json").out
    assert len(failed.splitlines()) == 3


def test_the_demo_tells_what_was_measured_and_where_to_look_further(fanwise):
    """In lines that a person can read, with commands that work."""
    told = fanwise("demo", "notify", "--messages", "20")
    assert re.search(r"sent +20 in .*; the server took 20, 0 of them twice", told.out)
    found = re.search(r"fanwise show (\S+)", told.out)
    assert found
    assert fanwise("show", found[1]).status == 0


def test_a_demo_that_was_interrupted_says_how_to_have_one_that_goes_on(folder: Path):
    """Its servers are gone, so it doesn't say that the run can be resumed."""
    command = [sys.executable, "-m", "fanwise", "demo", "notify"]  # its rate makes it take seconds
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "has started" in line)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 130
    assert "The run is paused; what it has recorded is kept.\n" in told
    assert "fanwise resume" not in told
    assert told.endswith("make a copy: fanwise demo notify --copy DIR\n")


GOOD = dict.fromkeys(NotifyFigures.__struct_fields__, 0)


def test_the_demo_says_what_is_not_as_it_should_be():
    """A message that came twice, went astray or was lost is a failure of the demo."""
    assert judge(NotifyFigures(**GOOD)) is None
    for wrong, word in (
        ({"duplicates": 1, "taken": 1}, "twice"),
        ({"sent": 2, "taken": 1}, "took 1"),
        ({"strayed": 1}, "want none"),
        ({"failed": 1}, "no mailbox"),
    ):
        found = judge(NotifyFigures(**{**GOOD, **wrong}))
        assert found is not None
        assert word in found
