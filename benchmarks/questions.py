"""Questions: 10,000 of one fan-out are parked and answered, on SQLite and on PostgreSQL.

The run is submitted, and a process of `fanwise work` parks its questions and ends. They are
answered while nobody drives the run: half of them one after the other, and half by eight threads of
one process, as a server has them. Then another process takes the answers in.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

import fanwise
from benchmarks.postgres_server import DURABLE, postgres_server
from fanwise.bench.budget import Budget, at_least
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.tables import figures_table
from fanwise.engine.answers import answer_question
from fanwise.errors import UsageError
from fanwise.model import GivenAnswer
from fanwise.stores import Store, open_store
from fanwise.units import show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fanwise.model import RunRecord

QUESTIONS: Final = 10_000
_LEAST_PER_S: Final = 1_000.0
_PATIENCE_S: Final = 300.0
_LOOK_S: Final = 0.02
_THREADS: Final = 8

_Measured: TypeAlias = tuple[float, float, float, float]


class QuestionFigures(msgspec.Struct, frozen=True):
    """Of each kind of store: seconds until all are parked, answers a second, seconds to the end.

    `alone_per_s` are answers that come one after the other, and `answers_per_s` those at once.
    """

    parked_s: dict[str, float]
    alone_per_s: dict[str, float]
    answers_per_s: dict[str, float]
    rest_s: dict[str, float]


def compare(*, rounds: int = DEFAULT_ROUNDS, questions: int = QUESTIONS) -> QuestionFigures:
    """Measure. Raises `UsageError` if an answer is lost."""
    found: dict[str, list[_Measured]] = {"SQLite": [], "PostgreSQL": []}
    for _ in range(rounds):
        for kind, measured in found.items():
            with _new_store(kind) as url:
                measured.append(_measure(url, questions))
    medians = {
        kind: sorted(each, key=lambda one: one[2])[len(each) // 2] for kind, each in found.items()
    }
    return QuestionFigures(*({kind: each[at] for kind, each in medians.items()} for at in range(4)))


@contextmanager
def _new_store(kind: str) -> Iterator[str]:
    with TemporaryDirectory() as name:
        if kind == "SQLite":
            yield str(Path(name) / "runs.db")
        else:
            with postgres_server(**DURABLE) as server:
                yield server.url()


def _measure(url: str, questions: int) -> _Measured:
    begun = time.perf_counter()
    flow = {
        "name": "asks",
        "tasks": [
            {
                "name": "ask",
                "action": "core.ask",
                "with-items": {"range": questions},
                "input": {"prompt": "Go on?"},
            }
        ],
    }
    made = fanwise.submit(flow, store=url)
    with open_store(url) as store:
        with _working(url) as process:
            run = _awaited(store, made.id, "waiting", process)
            parked = time.perf_counter()
        given = GivenAnswer(choice="approve", by="ada", via="bench")
        half, number = questions // 2, run.run_no

        def answer(index: int) -> None:
            answer_question(store, run, f"ask[{index}]", given)

        answering = time.perf_counter()
        for index in range(half):
            answer(index)
        at_once = time.perf_counter()
        with ThreadPoolExecutor(_THREADS) as threads:
            for _ in threads.map(answer, range(half, questions)):
                pass
        answered = time.perf_counter()
        with _working(url) as process:
            run = _awaited(store, made.id, "succeeded", process)
            ended = time.perf_counter()
        (task,) = store.tasks(number)
        if task.items is None or task.items.succeeded != questions:
            raise UsageError("not all answers were taken in.")
    alone_per_s = half / (at_once - answering)
    at_once_per_s = (questions - half) / (answered - at_once)
    return parked - begun, alone_per_s, at_once_per_s, ended - answered


@contextmanager
def _working(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that takes runs, which is stopped and gone at the end of the block."""
    command = [sys.executable, "-m", "fanwise", "work", "--store", url]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def _awaited(store: Store, run_id: str, status: str, process: subprocess.Popen[bytes]) -> RunRecord:
    deadline = time.perf_counter() + _PATIENCE_S
    while True:
        run = store.run(run_id)
        if run is not None and run.status == status:
            return run
        if time.perf_counter() > deadline or process.poll() is not None:
            raise UsageError(f"the run isn't {status} in time.")
        time.sleep(_LOOK_S)


def budgets(figures: QuestionFigures) -> list[Budget]:
    """The promised limit, beside the measured figures."""
    return [
        at_least(f"answers to {QUESTIONS:,} questions, {kind}", _LEAST_PER_S, "number", found)
        for kind, found in figures.answers_per_s.items()
    ]


def render(figures: QuestionFigures) -> RenderableType:
    """A table of figures."""
    kinds = tuple(figures.parked_s)
    rows = {
        f"{QUESTIONS:,} questions parked": figures.parked_s,
        "the rest of the run, with the start of its process": figures.rest_s,
    }
    answers = {
        "answers a second, one after the other": figures.alone_per_s,
        f"answers a second of {_THREADS} threads": figures.answers_per_s,
    }
    return figures_table(
        "questions",
        kinds,
        [
            *((name, *(show_seconds(each[kind]) for kind in kinds)) for name, each in rows.items()),
            *((name, *(f"{each[kind]:,.0f}" for kind in kinds)) for name, each in answers.items()),
        ],
    )
