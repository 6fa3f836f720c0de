"""The server over a large store: what its answers and streams cost, itself at rest, and its page.

`fanwise serve` runs as a process over a store of many runs, one of which has very many items. Each
question is asked over one connection, one time after another, and its slowest answers count.
"""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from benchmarks import server_page, server_streams
from benchmarks.lists import fill_file
from benchmarks.processes import busy_s, memory_bytes
from benchmarks.server_page import PageFigures
from benchmarks.server_streams import StreamFigures
from benchmarks.serving import ask, serving
from fanwise.bench.budget import Budget, at_most
from fanwise.bench.measure import DEFAULT_ROUNDS
from fanwise.bench.tables import figures_table
from fanwise.drawings.graph_svg import graph_svg
from fanwise.drawings.picture import Arrow, Node, Picture, Shape
from fanwise.model import Role
from fanwise.server.token_making import new_token_text
from fanwise.stores import open_store
from fanwise.units import show_bytes, show_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

RUNS = 100_000
ITEMS = 1_000_000
_TASKS = 1_000
_ASKED = 20  # times that each question is asked in a round

QUESTIONS: Final = {
    "the first page of runs": ("/api/v1/runs", 0.02),
    "failed runs": ("/api/v1/runs?status=failed", 0.1),
    "runs of a workflow with a tag": ("/api/v1/runs?workflow=flow-4&tag=nightly", 0.1),
    "runs with a text": ("/api/v1/runs?text=run-77777", 0.1),
    "runs with a text that none has": ("/api/v1/runs?text=nothing", 0.1),
    "counts of runs by status": ("/api/v1/runs/counts", 0.1),
    "the run": ("/api/v1/runs/large", 0.1),
    "failed items": ("/api/v1/runs/large/tasks/work/items?status=failed&limit=100", 0.1),
    "kinds of errors": ("/api/v1/runs/large/tasks/work/kinds", 0.1),
    "tiles": ("/api/v1/runs/large/tasks/work/tiles", 0.01),
    "20,000 cells": ("/api/v1/runs/large/tasks/work/cells?tiles=0-19", 0.025),
    "the page of runs": ("/page/runs", 0.1),
    "the page of the run": ("/page/runs/large", 0.3),
    "the page of its task": ("/page/runs/large/tasks/work", 0.3),
    "metrics": ("/metrics", 0.1),
}
"""Paths that are asked for, and the seconds within which 95 % of the answers are to come."""


class ServerFigures(msgspec.Struct, frozen=True):
    """The seconds of answers, of which 95 % were faster, and the other figures of a server.

    `idle` is the share of a core that it takes at rest, and `csv_bytes` what its memory grows by
    while all items are read. `page_bytes` are the page's files, compressed.
    """

    runs: int
    items: int
    seconds: dict[str, float]
    ready_s: float
    idle: float
    memory_bytes: int
    csv_bytes: int
    page_bytes: int
    drawn_s: float
    page: PageFigures | None
    streams: StreamFigures


def compare(
    *,
    rounds: int = DEFAULT_ROUNDS,
    runs: int = RUNS,
    items: int = ITEMS,
    rest_s: float = 10.0,
    streams: int = server_streams.STREAMS,
    changes: int = server_streams.CHANGES,
    told: int = server_page.TOLD,
) -> ServerFigures:
    """Fill the store and measure; it takes some minutes. Raises `UsageError` if one fails.

    Streams are told of so many `changes`, and the page of as many runs as it is `told` of.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "fanwise.db"
        fill_file(file, runs, items)
        with open_store(str(file)) as store:
            # As each token has a rate of its own, each question has a token.
            tokens = {
                what: str(new_token_text(store, f"t{number}", Role.ADMIN))
                for number, what in enumerate((*QUESTIONS, "csv", "page"))
            }
        with serving(file, Path(folder)) as (process, connection, ready_s):
            taken = {
                what: sorted(ask(connection, path, tokens[what]) for _ in range(_ASKED * rounds))
                for what, (path, _) in QUESTIONS.items()
            }
            idle, memory = _at_rest(process.pid, rest_s), memory_bytes(process.pid)
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # forgets the peak until now
            ask(connection, "/api/v1/runs/large/tasks/work/items.csv", tokens["csv"])
            csv = memory_bytes(process.pid, "VmHWM") - memory
            url = f"http://{connection.host}:{connection.port}"
            page = server_page.look(url, tokens["page"], file, rounds, told)
            heard = server_streams.measure(url, process.pid, file, streams, changes)
    return ServerFigures(
        runs=runs,
        items=items,
        seconds={what: each[len(each) * 95 // 100] for what, each in taken.items()},
        ready_s=ready_s,
        idle=idle,
        memory_bytes=memory,
        csv_bytes=csv,
        page_bytes=_page_bytes(),
        drawn_s=_drawn_s(),
        page=page,
        streams=heard,
    )


def _at_rest(pid: int, rest_s: float) -> float:
    """The share of a core that a process takes while nothing is asked."""
    before = busy_s(pid)
    time.sleep(rest_s)
    return (busy_s(pid) - before) / rest_s


def _page_bytes() -> int:
    import fanwise.server.page

    static = Path(fanwise.server.page.__file__).with_name("static")
    return sum(len(gzip.compress(file.read_bytes())) for file in static.rglob("*.*"))


def _drawn_s() -> float:
    """The fastest of some drawings of a graph of a thousand tasks, in layers of ten."""
    nodes = tuple(Node(f"t{at}", Shape.TASK, (f"task {at}",), f"{at}") for at in range(_TASKS))
    arrows = tuple(
        Arrow(f"t{at}", f"t{at + step}")
        for at in range(_TASKS)
        for step in (7, 10, 13)
        if at + step < _TASKS
    )
    taken = []
    for _ in range(DEFAULT_ROUNDS):
        begun = time.perf_counter()
        graph_svg(Picture(nodes, arrows, ()), title="drawn")
        taken.append(time.perf_counter() - begun)
    return min(taken)


def budgets(figures: ServerFigures) -> list[Budget]:
    """The promised limits, beside the measured figures."""
    return [
        *(
            at_most(f"{what}, 95 %", QUESTIONS[what][1], "seconds", span_s)
            for what, span_s in figures.seconds.items()
        ),
        at_most("a server's start, until it is ready", 1.0, "seconds", figures.ready_s),
        at_most("a server at rest, of a core", 0.01, "times", figures.idle),
        at_most("a server's memory", 80e6, "bytes", figures.memory_bytes),
        at_most("... more while all items are read as CSV", 20e6, "bytes", figures.csv_bytes),
        at_most("the page's files, compressed", 60e3, "bytes", figures.page_bytes),
        at_most(f"a graph of {_TASKS:,} tasks, drawn", 0.2, "seconds", figures.drawn_s),
        *server_streams.budgets(figures.streams),
        *([] if figures.page is None else server_page.budgets(figures.page)),
    ]


def render(figures: ServerFigures) -> RenderableType:
    """A table of all figures."""
    rows = [(what, show_seconds(span_s)) for what, span_s in figures.seconds.items()]
    rows += [
        ("from start to ready", show_seconds(figures.ready_s)),
        ("at rest, of a core", f"{figures.idle:.1%}"),
        ("memory", show_bytes(figures.memory_bytes)),
        ("... more while all items are read as CSV", show_bytes(figures.csv_bytes)),
        ("the page's files, compressed", show_bytes(figures.page_bytes)),
        (f"a graph of {_TASKS:,} tasks, drawn", show_seconds(figures.drawn_s)),
    ]
    rows += server_streams.rows(figures.streams)
    rows += [] if figures.page is None else server_page.rows(figures.page)
    title = f"{figures.runs:,} runs, one of {figures.items:,} items: 95 % of answers within"
    return figures_table(title, ("",), rows)


__all__ = ["budgets", "compare", "render"]
