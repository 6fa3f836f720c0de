"""Plays the log pipeline demo: a workflow reads the logs that a server has really written."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fanwise.bench.measure import peak_memory_bytes
from fanwise.demos.logs.writing import MAX_REQUESTS, Written, write_logs
from fanwise.demos.measures import MemoryWatch
from fanwise.demos.stage import DemoStage, Played, demo_folder
from fanwise.model import Run, Status
from fanwise.units import show_bytes, show_span
from fanwise.values import thaw

_TASK = "process_entries"
_SHOWN = 3


class LogFigures(msgspec.Struct, frozen=True):
    """The measurements; `answers`, by status, and `cut` are counts of the written lines.

    `report` has the workflow's findings. `peak_bytes` is the most memory that the process has held,
    and `growth_bytes` the most that it can have grown while it parsed.
    """

    files: int
    lines: int
    entries: int
    failed: int
    cut: int
    report: dict[str, dict[str, float]]
    answers: dict[int, int]
    run_s: float
    parse_s: float
    peak_bytes: int
    growth_bytes: int


def play(stage: DemoStage) -> Played:
    """Have at least `stage.size` lines of logs written, read them, and compare the counts."""
    stage.say(
        f"Requesting {min(stage.size, MAX_REQUESTS):,} pages of a server that writes a log ..."
    )
    written = write_logs(stage.folder, stage.size)
    memory = MemoryWatch(_TASK)
    parameters = {
        "log": str(written.log),
        "inventory": str(written.inventory),
        "merged": str(stage.folder / "merged.log"),
    }
    done = stage.run(demo_folder("logs") / "workflow.yaml", parameters, observer=memory)
    if done.status is not Status.SUCCEEDED:
        return Played(done)
    figures = _measure(done, written, memory)
    failed = stage.command("items", done.id, _TASK, "--status", "failed")
    return Played(
        done,
        headline=f"{figures.lines:,} lines parsed, {_rate(figures)}",
        rows=_rows(figures),
        figures=figures,
        failed=_difference(figures),
        further=[("what failed", failed)],
    )


def _measure(done: Run, written: Written, memory: MemoryWatch) -> LogFigures:
    """The figures of a run that succeeded."""
    task, output = done.tasks[_TASK], thaw(done.output)
    assert task.items is not None  # it succeeded, and has items
    assert task.started_at is not None
    assert task.ended_at is not None
    return LogFigures(
        files=len(output["files"]),
        lines=task.items.total,
        entries=task.items.succeeded,
        failed=task.items.failed,
        cut=written.cut,
        report=output["report"],
        answers=written.answers,
        run_s=done.duration_s or 0.0,
        parse_s=task.ended_at - task.started_at,
        peak_bytes=peak_memory_bytes(),
        growth_bytes=memory.growth_bytes,
    )


def _difference(figures: LogFigures) -> str | None:
    answers = {str(status): count for status, count in figures.answers.items()}
    statuses = figures.report["statuses"]
    if statuses != answers:
        return f"it counted the statuses {_listed(statuses)}, but the server {_listed(answers)}"
    if figures.failed != figures.cut:
        return f"{figures.failed:,} lines failed, but {figures.cut:,} are no log lines"
    return None


def _rate(figures: LogFigures) -> str:
    return f"{figures.lines / figures.parse_s:,.0f}/s"


def _rows(figures: LogFigures) -> list[tuple[str, str]]:
    report = figures.report
    slowest = [f"{path} {show_span(span_s)}" for path, span_s in report["slowest"].items()]
    errors = [f"{count:,} times {pattern}" for pattern, count in report["errors"].items()]
    return [
        (
            "lines",
            f"{figures.lines:,} of {figures.files} files parsed in {show_span(figures.parse_s)}, "
            f"{_rate(figures)}",
        ),
        ("failed", f"{figures.failed:,}; the rotation has cut off {figures.cut:,} lines"),
        ("status codes", _listed(report["statuses"])),
        ("the server counted", _listed(figures.answers)),
        ("slowest paths", ", ".join(slowest[:_SHOWN])),
        ("frequent errors", ", ".join(errors[:_SHOWN])),
        ("regions", _listed(report["regions"])),
        (
            "memory",
            f"at most {show_bytes(figures.peak_bytes)}; the process grew by at most "
            f"{show_bytes(figures.growth_bytes)} while it parsed",
        ),
        ("the whole run", show_span(figures.run_s)),
    ]


def _listed(counts: Mapping[str, float] | Mapping[int, int]) -> str:
    return ", ".join(f"{each}: {count:,}" for each, count in counts.items())
