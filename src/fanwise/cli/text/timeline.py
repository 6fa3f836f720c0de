"""Draws the tasks of a run over time as text, a line for each lane. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from fanwise.cli.text.render import count, paint
from fanwise.drawings.lanes import Lane, lanes
from fanwise.reports.progress import ItemProgress
from fanwise.reports.timing import Spell
from fanwise.units import show_span

_MAX_ALONE: Final = 40
_MAX_NAME: Final = 32
_MIN_BAR: Final = 20


class Marks(NamedTuple):
    """The characters of bars."""

    work: str
    wait: str
    shared: str


BLOCKS: Final = Marks("█", "░", "▒")
ASCII: Final = Marks("#", ".", "=")


def timeline_lines(
    spells: Sequence[Spell],
    never_started: int,
    progress: Mapping[int, ItemProgress],
    *,
    run_status: str,
    width: int,
    marks: Marks,
    colours: bool,
) -> list[str]:
    """The drawing, `width` columns wide; `spells` are in the order of their starts.

    `progress` is that of visits with items, by `visit_no`; `run_status` is the shown one.
    """
    if not spells:
        return ["No task has started."]
    start = min(min(begin for begin, _ in spell.parts) for spell in spells)
    span_s = max(spell.ended_at for spell in spells) - start
    drawn_lanes = lanes(spells, progress, run_status=run_status, most=_MAX_ALONE)
    names = [_short_name(lane) for lane in drawn_lanes]
    name_width = max(map(len, names))
    remarks = [lane.remark for lane in drawn_lanes]
    bar_width = max(_MIN_BAR, width - name_width - max(map(len, remarks)) - 4)
    drawn = [f"{'':{name_width}}  {_axis(span_s, bar_width)}".rstrip()]
    for lane, name, remark in zip(drawn_lanes, names, remarks, strict=True):
        bar = _bar(lane.spells, start, span_s, bar_width, marks)
        if colours and not lane.is_shared:
            bar = paint(lane.spells[0].visit.status, bar)
        drawn.append(f"{name:{name_width}}  {bar}  {remark}".rstrip())
    return [*drawn, *_notes(drawn_lanes, never_started, marks)]


def _short_name(lane: Lane) -> str:
    return "  " * lane.depth + lane.short_name(_MAX_NAME)


def _bar(spells: Sequence[Spell], start: float, span_s: float, width: int, marks: Marks) -> str:
    cells = [" "] * width
    work = marks.work if len(spells) == 1 else marks.shared
    for spell in spells:
        waits = spell.works_at > spell.started_at
        for part in spell.parts:
            begin, works, end = (
                min(round((at - start) / span_s * width), width) if span_s else 0
                for at in (part[0], spell.works_at, part[1])
            )
            begin = min(begin, width - 1)
            end = max(end, begin + 1)  # also what took no time is seen
            wait = max(0, min(works, end) - begin) if waits and part[1] > spell.started_at else 0
            cells[begin:end] = [marks.wait] * wait + [work] * (end - begin - wait)
    return "".join(cells)


def _axis(span_s: float, width: int) -> str:
    """Times over the bars: at the start, at the end, and where there is room between."""
    line = [" "] * width
    parts = 4 if width >= 60 else 2
    for part in range(parts + 1):
        text = show_span(span_s * part / parts) if part else "0"
        place = round(width * part / parts)
        begin = min(max(0, place - len(text) // 2), width - len(text)) if part else 0
        line[begin : begin + len(text)] = text
    return "".join(line)


def _notes(drawn: Sequence[Lane], never_started: int, marks: Marks) -> Iterator[str]:
    shared = [lane for lane in drawn if lane.is_shared]
    if shared:
        visits = sum(len(lane.spells) for lane in shared)
        yield (
            f"{marks.shared} stands for several visits: {visits:,} in all, which were shorter than "
            "those with lines of their own."
        )
    if never_started:
        yield f"{count(never_started, 'task')} never started."
