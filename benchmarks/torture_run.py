"""One run that is struck again and again, until it comes to its end, and what is found meanwhile.

It has a store and a folder of its own; the store may be on a server, which other runs share. Each
of its lives starts, resumes, recovers or retries it, and most are struck: killed, stopped or
interrupted. After each life what is recorded is compared with what was recorded before, and what
the life had begun with what was done by then. A stopped process is woken when another one has taken
its run and gone on with it: from then on it must not write anything.
"""

from __future__ import annotations

import signal
import time
from enum import Enum
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from benchmarks.torture_life import Life
from benchmarks.torture_records import (
    Findings,
    Snapshot,
    compare_children,
    compare_outcomes,
    compare_records,
    compare_work,
    snapshot,
)
from fanwise.errors import StoreError, UsageError
from fanwise.model import Lease, Record, Status
from fanwise.stores import open_store

PACK: Final = Path(__file__).parent / "torture_pack"
WORKFLOWS: Final = ("stream", "children", "graph", "broken")
"""The tortured workflows; `broken` fails, and succeeds once it is mended and retried."""

RUN_ID: Final = "torture"

_LEASE_S: Final = 1.0
_REFUSED: Final = 2
_PAUSED: Final = 130
_MOST_LINES: Final = 50  # that a life may tell before it is struck
_NUMBERS: Final = 40
_CHILDREN_AT_A_TIME: Final = 2  # as `steps.yaml` has it


class Blow(Enum):
    """An interference with a process."""

    KILL = "kill"
    STOP = "stop"
    PAUSE = "pause"
    NONE = "none"


_WEIGHTS: Final = {Blow.KILL: 80, Blow.STOP: 6, Blow.PAUSE: 10, Blow.NONE: 4}
"""The number of each blow in a hundred lives."""


class Counts(msgspec.Struct):
    """Counts of blows, of runs taken from stopped processes, and of lives by their command.

    `attempts` were begun, `outcomes` are recorded in the end.
    """

    runs: int = 0
    kills: int = 0
    stops: int = 0
    takeovers: int = 0
    pauses: int = 0
    resumes: int = 0
    recoveries: int = 0
    retries: int = 0
    attempts: int = 0
    outcomes: int = 0

    def add(self, others: Counts) -> None:
        """Count what another one has counted."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(others, name))


class TorturedRun:
    """One run of a workflow of the pack, in a folder of its own.

    `counts` and `findings` are those of all lives that it has had.
    """

    def __init__(
        self, workflow: str, folder: Path, chance: Random, store: str | None = None
    ) -> None:
        self.counts = Counts(runs=1)
        self.findings = Findings()
        self._workflow = workflow
        self._chance = chance
        self._store = store or str(folder / "runs.db")
        self._numbers = folder / "numbers.jsonl"
        self._numbers.write_text("".join(f'{{"n": {n}}}\n' for n in range(_NUMBERS)))
        self._is_mended = False
        self._has_stopped = False  # a process, which is to be woken later
        self._recorded: Snapshot | None = None

    def live_undisturbed(self) -> Snapshot:
        """Run it, and retry it if it fails; return what is recorded at the end.

        Raises `UsageError` if it doesn't come to its end.
        """
        while not self._is_over():
            self._live(Blow.NONE)
            for found in self.findings.lines():
                raise UsageError(f"the workflow {self._workflow} can't be run at all: {found}")
        assert self._recorded is not None
        return self._recorded

    def live_on(self, expected: Snapshot, *, most_kills: int) -> None:
        """Strike it until something is found, or it comes to its end, which must be as `expected`.

        Once it was killed so often it is left in peace.
        """
        while not self._is_over():
            in_peace = self.counts.kills >= most_kills
            self._live(Blow.NONE if in_peace else self._draw_blow())
            if any(self.findings.lines()):
                return
        assert self._recorded is not None
        self.findings.add(compare_outcomes(expected, self._recorded))
        self.findings.add(compare_children(self._recorded, _CHILDREN_AT_A_TIME))
        self.counts.outcomes = len(self._recorded.keys)

    def _draw_blow(self) -> Blow:
        (blow,) = self._chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        return blow

    def _is_over(self) -> bool:
        run = None if self._recorded is None else self._recorded.run
        return run is not None and run.status.is_final and not self._needs_retry(run.status)

    def _needs_retry(self, status: Status) -> bool:
        return self._workflow == "broken" and status is Status.FAILED

    def _arguments(self) -> list[str]:
        """The command that brings the run on from where it is, and count it."""
        store = ["--store", self._store]
        status = None if self._recorded is None else self._recorded.run.status
        if status is None:
            given = ["-p", f"file={self._numbers}"] if self._workflow == "stream" else []
            file = str(PACK / f"{self._workflow}.yaml")
            return ["run", file, "--run-id", RUN_ID, *given, *store]
        if self._needs_retry(status):
            self._is_mended = True
            self.counts.retries += 1
            return ["retry", RUN_ID, *store]
        if status is not Status.PAUSED and self._chance.random() < 0.3:
            self.counts.recoveries += 1
            return ["recover", *store]
        self.counts.resumes += 1
        return ["resume", RUN_ID, *store]

    def _start(self) -> Life:
        arguments = self._arguments()
        environment = {"FANWISE_SECRET_TORTURE": "hidden", "FANWISE_LEASE": f"{_LEASE_S:g}s"}
        if self._is_mended:
            environment["TORTURE_MENDED"] = "1"
        return Life(arguments, environment)

    def _live(self, blow: Blow) -> None:
        """Have the run live once, and compare."""
        before = self._recorded
        with self._start() as life:
            if blow is Blow.NONE or not life.read(self._chance.randint(1, _MOST_LINES)):
                self._end(life, before, {0, 1})
            elif blow is Blow.KILL:
                life.strike(signal.SIGKILL)
                self.counts.kills += 1
                self._end(life, before, {-signal.SIGKILL, 0, 1})  # it may just have ended
            elif blow is Blow.PAUSE:
                life.strike(signal.SIGTERM)
                self.counts.pauses += 1
                # Before it listens to signals, or when it no longer does, it ends as any process.
                self._end(life, before, {_PAUSED, -signal.SIGTERM, 0, 1})
            elif life.stop():
                self.counts.stops += 1
                self._outlive(life, before)
            else:
                self._end(life, before, {0, 1})

    def _end(self, life: Life, before: Snapshot | None, expected: set[int]) -> None:
        """Wait for the end of a life, and compare."""
        status = life.end()
        # A process that was stopped while it wrote keeps the file of the store locked.
        is_locked = self._has_stopped and any("keeps it locked" in line for line in life.said)
        if status not in expected and not is_locked:
            self.findings.strange.append(f"exit status {status}: {' | '.join(life.said[-5:])}")
        self._compare(life, before)

    def _outlive(self, stopped: Life, before: Snapshot | None) -> None:
        """Have another process take the run from one that is stopped, and wake that one then."""
        self._compare(stopped, before)
        held = self._lease()
        time.sleep(_LEASE_S)  # by now it has said nothing for long enough
        if self._is_over():  # it was stopped after its last commit
            is_taken = False
        else:
            self._has_stopped = True
            self._live(self._chance.choice((Blow.KILL, Blow.NONE)))
            self._has_stopped = False
            ours = held is not None and held.owner is not None and held.owner.pid == stopped.pid
            now = self._lease()
            is_taken = ours and now is not None and held is not None and now.token != held.token
        left = self._read()
        stopped.strike(signal.SIGCONT)
        status = stopped.end()
        self.counts.takeovers += is_taken
        if not is_taken:  # so it may go on
            self._recorded = snapshot(self._read())
        elif self._read() != left:
            self.findings.strange.append("a process whose run was taken has written")
        elif status != _REFUSED or "was taken over by" not in stopped.said[-1]:
            self.findings.strange.append(f"woken: exit status {status}: {' | '.join(stopped.said)}")

    def _compare(self, life: Life, before: Snapshot | None) -> None:
        """Look at what is recorded after a life, and hold it against what was before."""
        self.counts.attempts += len(life.begun)
        after = snapshot(self._read())
        if before is not None:
            if before.run.status.is_final:
                before = before.kept_by_a_retry()
            self.findings.add(compare_records(before, after))
            self.findings.add(compare_work(before, life.begun))
        self._recorded = after

    def _read(self) -> list[Record]:
        """All that is recorded of the run."""
        try:
            with open_store(self._store, read_only=True) as store:
                return list(store.export(RUN_ID))
        except StoreError:
            if self._recorded is not None:
                raise
            return []  # its first life was too short to make the store

    def _lease(self) -> Lease | None:
        if self._recorded is None:
            return None
        with open_store(self._store, read_only=True) as store:
            return store.lease(self._recorded.run.run_no)
