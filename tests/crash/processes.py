"""A workflow whose items tell when they begin and can be made to wait, and looking at its runs."""

from __future__ import annotations

import os
import selectors
from pathlib import Path

from benchmarks.torture_life import Life
from fanwise.model import ItemOutcome, Record, RunRecord
from fanwise.stores import open_store

# The item that the variable WAIT_AT names waits until there is a file `go` beside the workflow; the
# one that SIGNAL_AT names interrupts its own process.
ACTIONS = """\
import asyncio, os, signal
from pathlib import Path

import fanwise

def tell(what):
    os.write(int(os.environ["TORTURE_TO"]), f"\\n@{what}\\n".encode())

@fanwise.action("my.work")
async def work(context: fanwise.ActionContext, n: int) -> int:
    tell(f"begin {n}")
    if os.environ.get("SIGNAL_AT") == str(n):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
    while os.environ.get("WAIT_AT") == str(n) and not Path(context.folder, "go").exists():
        await asyncio.sleep(0.01)
    tell(f"end {n}")
    return n * n
"""
FLOW = """\
tasks:
  - name: each
    action: my.work
    with-items: {range: 6}
    concurrency: 1
    input: {n: "{{ item }}"}
  - name: after
    action: core.echo
    input: {value: "{{ task.each.output | sum }}"}
finally:
  - {name: clean, action: my.work, input: {n: 100}}
output: "{{ task.after.output }}"
"""
# A shell with a child, both of which wait for ever once they have told their numbers. The loop has
# turned a few times when `seen` begins, so that fanwise knows of the shell for sure.
SHELL = """\
tasks:
  - {name: seen, action: my.work, needs: [], delay: 200ms, input: {n: 200}}
  - name: run
    needs: []
    action: core.shell
    input: {script: "sleep 1000 & echo $! $$ > ids; wait"}
"""


def records(folder: Path, url: str | None = None) -> list[Record]:
    """All that is recorded of the run `r` at this moment, in the folder's store or another."""
    with open_store(url or str(folder / "runs.db"), read_only=True) as store:
        return list(store.export("r"))


def status(folder: Path) -> str:
    """The run's status, as recorded."""
    run = records(folder)[0]
    assert isinstance(run, RunRecord)
    return run.status.value


def items(folder: Path) -> list[int]:
    """The indexes of the items that are recorded."""
    return [each.index for each in records(folder) if isinstance(each, ItemOutcome)]


def wait_for(life: Life, key: str) -> None:
    """Return when the work with this key has begun in this life."""
    while key not in life.begun:
        assert life.read(1), life.said


def have_ended(ids: str) -> bool:
    """Whether the processes with these numbers have ended, or do so soon."""
    for each in ids.split():
        try:
            handle = os.pidfd_open(int(each))
        except ProcessLookupError:
            continue
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(handle, selectors.EVENT_READ)
                if not selector.select(10):
                    return False
        finally:
            os.close(handle)
    return True
