"""A small project and its runs, of every look that pages have."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import fanwise

LONG_ID: Final = f"{'a-run-with-a-very-long-id-of-somebody-s-choice-' * 2}2026"

HOSTILE: Final = "<img src=x onerror=alert(1)>"

FLOWS: Final = {
    "check.yaml": """
name: check
description: Check numbers, one by one
parameters:
  count: {type: integer, default: 60, minimum: 1, description: How many}
  region: {type: string, choices: [north, south], default: north}
  deep: {type: boolean, default: false}
  hosts: {type: array, default: [a, b]}
  options: {type: object, default: {}}
  password: {type: string, secret: true}
on:
  - {name: hourly, schedule: 1h}
tasks:
  - name: each
    action: site.check
    with-items: "{{ range(parameters.count) }}"
    label: "host {{ item }}"
    tolerate: 50%
    input: {number: "{{ item }}"}
  - name: sum
    action: core.echo
    input: {failed: "{{ task.each.items.failed }}"}
output: "{{ task.sum.output }}"
""",
    "broken.yaml": """
name: broken
tasks:
  - name: read
    action: site.read
    input: {text: "{{ '<img src=x onerror=alert(1)>' }}"}
  - name: after
    action: core.noop
""",
    "ask.yaml": """
name: ask
parameters:
  version: {type: string, required: true}
tasks:
  - name: approve
    action: core.ask
    input:
      prompt: "Release {{ parameters.version }}?"
      options: [approve, reject]
      answer: {note: {type: string}, canary: {type: integer, default: 5}}
""",
    "site.yaml": """
name: site
parameters: {name: {type: string}}
tasks:
  - name: host
    with-items: "{{ range(3) }}"
    action: site.flaky
    retry: {count: 2, delay: 0}
    tolerate: 100%
    input: {number: "{{ item }}", attempt: "{{ attempt.number }}"}
  - {name: a_task_with_a_name_that_needs_a_lot_of_room, action: core.noop}
""",
    "regions.yaml": """
name: regions
tasks:
  - name: site
    with-items: [north, south]
    label: "{{ item }}"
    action: site.yaml
    input: {name: "{{ item }}"}
  - {name: central, action: site.yaml, input: {name: central}}
""",
    "stuck.yaml": """
name: stuck
tasks:
  - {name: first, action: site.first}
  - {name: second, action: site.stick}
""",
    "talk.yaml": """
name: talk
tasks: [{name: talk, action: site.talk}]
""",
    "large.yaml": """
name: large
tasks: [{name: large, action: site.large}]
output: ["{{ task.large.output }}", "{{ task.large.output }}"]
""",
    "many.yaml": """
name: many
tasks:
  - name: each
    action: site.many
    with-items: "{{ range(100000) }}"
    concurrency: 1000
    tolerate: 1%
    input: {number: "{{ item }}"}
""",
    "held.yaml": """
name: held
tasks:
  - name: each
    action: site.held
    with-items: "{{ range(400) }}"
    concurrency: 20
    input: {number: "{{ item }}"}
""",
}

PACK: Final = '''
import os
import threading

import fanwise


@fanwise.action("site.check")
def check(number: int) -> int:
    """Fail for every seventh number."""
    if number % 7 == 3:
        raise fanwise.ActionError(f"host {number} refused", type="Refused", retry=False)
    if number % 20 == 19:
        raise fanwise.ActionError("status 503", type="Unavailable", retry=False)
    print(f"checked {number}")
    return number


@fanwise.action("site.flaky")
def flaky(number: int, attempt: int) -> int:
    """Fail the first times."""
    if attempt <= number:
        raise fanwise.ActionError(f"try {attempt} of {number} was refused", type="Refused")
    return number


@fanwise.action("site.read")
def read(text: str) -> str:
    """Fail in a way that names a line."""
    print(f"reading {text}")
    raise ValueError(f"no price in {text}")  # the author's line


def begin(name: str) -> None:
    with open("begun", "a") as file:
        print(name, file=file)


@fanwise.action("site.first")
def first() -> None:
    """Note that it ran."""
    begin("first")


@fanwise.action("site.stick")
def stick() -> None:
    """Wait for ever, until it may go."""
    begin("second")
    if not os.path.exists("go"):
        with open("hold", "w"):
            threading.Event().wait()
'''

_REACHED: Final = threading.Event()
"""The run of `held.yaml` has come to its 100th item."""

_GO_ON: Final = threading.Event()
"""It may go on from there."""


@fanwise.action("site.many")
async def many(number: int) -> None:
    """Fail for each thousandth number."""
    if number % 1000 == 13:
        raise fanwise.ActionError(f"record {number} can't be read", type="BadRecord", retry=False)


@fanwise.action("site.held")
def held(number: int) -> int:
    """Wait at the 100th number until somebody has looked."""
    if number >= 100:
        _REACHED.set()
        _GO_ON.wait(60)
    return number


@fanwise.action("site.talk")
def talk() -> None:
    """Print, wait until somebody has looked, and print again."""
    sys.stdout.write("this is the beginning\n")
    _REACHED.set()
    _GO_ON.wait(60)
    sys.stdout.write("this is the end\n")


@fanwise.action("site.large")
def large() -> str:
    """Return ten million letters."""
    return "x" * 10_000_000


ACTIONS: Final = (many, held, talk, large)


@contextmanager
def engine_of(folder: Path) -> Iterator[None]:
    """A process that takes runs of a project while the block lasts."""
    command = [sys.executable, "-m", "fanwise", "work", "--until-eof", "--store"]
    worker = subprocess.Popen(
        [*command, store_of(folder)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        worker.communicate()


def make_project(folder: Path) -> None:
    """Write the project's files, and run what its pages show."""
    write(folder, *FLOWS)
    run(folder, "check.yaml", run_id="checked", tags=["nightly"])
    run(folder, "check.yaml", {"count": 45, "region": "south"}, run_id="checked-2")
    run(folder, "check.yaml", {"count": 12}, run_id="checked-3")
    run(folder, "broken.yaml", run_id="broke")
    run(folder, "broken.yaml", run_id=LONG_ID)
    run(folder, "regions.yaml", run_id="regions")
    submit(folder, "ask.yaml", {"version": "1.0"}, run_id="queued")


def write(folder: Path, *names: str) -> None:
    """Write some of the workflows, and the actions."""
    (folder / "actions.py").write_text(PACK)
    for name in names:
        (folder / name).write_text(FLOWS[name])


def store_of(folder: Path) -> str:
    """The store that a server of the folder opens."""
    return str(folder / "runs.db")


def run(folder: Path, file: str, parameters: Any = None, **options: Any) -> fanwise.Run:
    """Run a workflow of the project in this process, on a thread without an event loop."""
    with ThreadPoolExecutor(1) as thread:
        store = store_of(folder)
        return thread.submit(
            fanwise.run, folder / file, parameters, store=store, actions=ACTIONS, **options
        ).result()


@contextmanager
def halfway(folder: Path, file: str, run_id: str) -> Iterator[Callable[[], None]]:
    """A run that waits halfway; what is given lets it go on, and returns at its end."""
    _REACHED.clear()
    _GO_ON.clear()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run, folder, file, run_id=run_id)

        def finish() -> None:
            _GO_ON.set()
            running.result()

        try:
            assert _REACHED.wait(60)
            yield finish
        finally:
            _GO_ON.set()


def submit(folder: Path, file: str, parameters: Any = None, **options: Any) -> str:
    """Record a run of the project for an engine to take."""
    return fanwise.submit(folder / file, parameters, store=store_of(folder), **options)
