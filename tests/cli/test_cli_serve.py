"""Whole processes of `fanwise serve`: what fires, and what becomes of it when they are killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from fanwise.model import FireStatus, Role, Status
from fanwise.server.token_making import new_token_text
from fanwise.stores import Store, open_store

SERVE = [sys.executable, "-m", "fanwise", "serve", "--port", "0"]
FLOW = """\
name: tick
on: {each: {schedule: {every: 1s, overlap: allow, catch-up: all}}}
tasks: [{name: a, action: core.echo, input: {value: "{{ trigger.scheduled_at }}"}}]
output: "{{ task.a.output.value }}"
"""


@pytest.fixture(autouse=True)
def flow(folder: Path, write) -> None:
    write(**{"tick.yaml": FLOW})


@contextmanager
def serving(*options: str) -> Iterator[subprocess.Popen[str]]:
    """A server, which with its processes has ended at the end of the block."""
    with subprocess.Popen([*SERVE, *options], stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
            if process.stderr is not None:
                process.stderr.read()  # up to the end of all processes that have inherited it


def said(process: subprocess.Popen[str], pattern: str) -> str:
    """The first group of the next line that a pattern is found in."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(pattern, line):
            return found.group(1)
    raise AssertionError(f"the server has ended, and never said {pattern}")


def store() -> Store:
    return open_store(os.environ["FANWISE_STORE"])


def check_nothing_is_lost_or_doubled() -> None:
    """Each second between the first fire and the last one has one fire, and each of these a run."""
    with store() as opened:
        fires = opened.fires("tick", "each", most=1_000)
        assert all(each.status is FireStatus.RAN for each in fires)
        times = sorted(each.at for each in fires)
        assert times == [times[0] + number for number in range(len(times))]
        runs = [each.run_id for each in fires]
        assert sorted(map(str, runs)) == sorted(opened.run_ids())


def test_a_schedule_fires_and_its_runs_are_driven(folder: Path) -> None:
    """By the processes that the server starts; SIGTERM ends all of them."""
    with serving() as process:
        run_id = said(process, r"(\S+)  has succeeded")
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.read().splitlines()[-1].endswith("Stopped.")
        assert process.wait() == 0
    with store() as opened:
        run = opened.run(run_id)
        assert run is not None
        assert run.status is Status.SUCCEEDED
        scheduled = str(run.origin.trigger["scheduled_at"])
        assert run.output == f'"{scheduled}"'.encode()
        assert run.origin.actions
    check_nothing_is_lost_or_doubled()


def test_a_server_that_is_killed_loses_and_doubles_nothing(folder: Path) -> None:
    """The processes that it has started end by themselves, and the next server catches up."""
    for _ in range(2):
        with serving("--workers", "2") as process:
            said(process, r"(has succeeded)")
            process.send_signal(signal.SIGKILL)
    with serving() as process:
        for _ in range(3):
            said(process, r"(has succeeded)")
    check_nothing_is_lost_or_doubled()


def test_a_process_that_is_killed_is_replaced(folder: Path) -> None:
    """Another one takes what is due."""
    with serving() as process:
        number = int(said(process, r"Process (\d+) takes runs"))
        said(process, r"(has succeeded)")
        os.kill(number, signal.SIGKILL)
        assert said(process, r"(was killed by signal 9)")
        assert int(said(process, r"Process (\d+) takes runs")) != number
        said(process, r"(has succeeded)")
    check_nothing_is_lost_or_doubled()


def test_two_servers_fire_each_time_once(folder: Path, write) -> None:
    """Both serve one store, and neither starts a process here or runs an author's code."""
    write(**{"actions.py": "raise SystemExit(9)\n"})
    with serving("--no-work") as first, serving("--no-work") as second:
        for process in (first, second):
            said(process, r"(Serving)")
        with store() as opened:
            while len(opened.fires("tick", "each")) < 3:
                opened.await_change(1.0)
    check_nothing_is_lost_or_doubled()


def test_runs_know_the_url_of_their_server(folder: Path, write) -> None:
    """So what tells of their questions has links to it."""
    shell = "core.shell, input: {command: [printenv, FANWISE_PUBLIC_URL]}"
    text = FLOW.replace('core.echo, input: {value: "{{ trigger.scheduled_at }}"}', shell)
    write(**{"tick.yaml": text.replace("output.value", "output.stdout")})
    with serving("--public-url", "https://f.example.com") as process:
        run_id = said(process, r"(\S+)  has succeeded")
    with store() as opened:
        run = opened.run(run_id)
        assert run is not None
        assert run.output is not None
        assert json.loads(run.output).strip() == "https://f.example.com"


def test_a_port_that_is_taken_is_told(fanwise, folder: Path) -> None:
    """In one line, with status 2; another server may well do without HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = fanwise("serve", "--no-work", "--port", port)
        assert told.status == 2
        assert f"the port {port} of 127.0.0.1 is taken" in told.err
        assert told.err.count("\n") == 1
        with serving("--no-work", "--no-http", "--port", port) as process:
            assert said(process, r"Serving 1 trigger(.*)") == "; Ctrl-C stops."


def test_http_is_answered_beside_the_clock(folder: Path) -> None:
    """At the address that is told."""
    with serving("--no-work") as process:
        url = said(process, r"at (http://127\.0\.0\.1:\d+);")
        with pytest.raises(HTTPError, match="401"):
            urlopen(f"{url}/api/v1/version")


BLOCKS = """\
import os

import fanwise


@fanwise.action("site.block")
async def block() -> None:
    with open("held") as held:  # it holds up the whole loop of its process
        held.read()


@fanwise.action("site.exit")
def leave() -> None:
    os._exit(3)
"""


def test_an_action_that_blocks_or_exits_holds_no_answer_up(fanwise, folder: Path, write) -> None:
    """Actions run in other processes than the one that answers, which goes on and tells of it."""
    task = "name: {0}\ntasks: [{{name: a, action: site.{0}}}]\n"
    write(**{"tick.yaml": task.format("block"), "leave.yaml": task.format("exit")})
    write(**{"actions.py": BLOCKS})
    os.mkfifo("held")
    blocked = fanwise("submit", "tick.yaml").out.strip()
    with store() as opened:
        token = str(new_token_text(opened, "reader", Role.READ))

    def status_of(run_id: str) -> str:
        asked = Request(f"{url}/api/v1/runs/{run_id}", headers={"Authorization": f"Bearer {token}"})
        return str(json.load(urlopen(asked, timeout=60))["status"])

    with serving() as process:
        url = said(process, r"at (http://127\.0\.0\.1:\d+);")
        with (folder / "held").open("w"):  # once the action has come to read it
            assert status_of(blocked) == "running"
        assert said(process, r"(\S+)  has succeeded") == blocked
        left = fanwise("submit", "leave.yaml").out.strip()
        said(process, r"(with status 3)")
        assert status_of(left) in ("running", "interrupted", "failed")
        assert status_of(blocked) == "succeeded"


def test_lines_in_json_tell_the_way_of_a_run(folder: Path) -> None:
    """From its trigger to its end, also in the processes that drive it; each line is an object."""
    with serving("--log-format", "json") as process:
        assert process.stderr is not None
        events = []
        for line in process.stderr:
            events.append(json.loads(line))
            if events[-1]["event"] == "run_ended":
                break
    names = [event["event"] for event in events]
    assert set(names) >= {"serving", "fired", "run_taken", "task_ended", "run_ended"}
    fired = [run for event in events if event["event"] == "fired" for run in event["runs"]]
    assert events[-1]["run"] in fired
    assert events[-1]["status"] == "succeeded"
    assert events[-1]["workflow"] == "tick"


def test_a_process_that_takes_runs_lets_its_metrics_be_read(fanwise, folder: Path) -> None:
    """At a port of this machine, without a server."""
    run_id = fanwise("submit", "tick.yaml").out.strip()
    command = [sys.executable, "-m", "fanwise", "work", "--metrics-port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = said(process, r"Metrics at (\S+)")
            assert said(process, r"(\S+)  has ") == run_id
            text = urlopen(url).read().decode()
        finally:
            process.kill()
    assert 'fanwise_runs_taken_total{workflow="tick"} 1.0' in text


def test_a_wrong_project_is_told(fanwise, write) -> None:
    """In one line, with status 2."""
    write(**{"fanwise.yaml": "workflows: [nowhere/*.yaml]\n"})
    told = fanwise("serve")
    assert told.status == 2
    assert "nowhere/*.yaml" in told.err
    assert told.err.count("\n") == 1


def test_a_process_that_is_to_stop_at_the_end_of_input_needs_a_pipe(folder: Path) -> None:
    """A file never ends."""
    done = subprocess.run(
        [sys.executable, "-m", "fanwise", "work", "--until-eof"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--until-eof" in done.stderr


NOTICE = """\
name: alert
tasks: [{name: a, action: core.echo, input: {value: "{{ trigger.event.error.message }}"}}]
output: "{{ task.a.output.value }}"
"""
LOAD = 'name: load\ntasks: [{name: a, action: core.fail, input: {message: "no disk"}}]\n'


def test_a_server_that_is_killed_loses_no_notice(folder: Path, write) -> None:
    """A run that fails while no server is there is told by the next one, and by no later one."""
    write(**{"fanwise.yaml": "notify: alert\n", "alert.yaml": NOTICE, "load.yaml": LOAD})
    (folder / "tick.yaml").unlink()
    with serving("--no-work") as process, store() as opened:
        said(process, r"(Serving)")
        while not opened.triggers()[1]:
            opened.await_change(1.0)
        process.send_signal(signal.SIGKILL)
        process.wait()
    failing = [sys.executable, "-m", "fanwise", "run", "load.yaml"]
    assert subprocess.run(failing, check=False, stderr=subprocess.DEVNULL).returncode == 1
    with serving() as process:
        run_id = said(process, r"(alert-\S+)  has succeeded")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving("--no-work") as process, store() as opened:
        said(process, r"(Serving)")
        assert [fire.run_id for fire in opened.fires("alert", "notify")] == [run_id]
        run = opened.run(run_id)
        assert run is not None
        assert run.output is not None
        assert b"no disk" in run.output
