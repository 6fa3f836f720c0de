"""Draws the tasks of a run over time, a line for each visit. Prints nothing.

Of very many visits those that went wrong and the longest have lines of their own, and what lies
between two of them shares one; so a drawing is never longer than about two screens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from fanwise.cli.text.render import count, paint, show_done
from fanwise.model import Status
from fanwise.reports.ownership import visit_status
from fanwise.reports.plain import shorten
from fanwise.reports.progress import ItemProgress
from fanwise.reports.timing import Spell
from fanwise.units import show_span

_MAX_ALONE: Final = 40
_MAX_NAME: Final = 32
_MIN_BAR: Final = 20
_MAX_TROUBLED: Final = 30


class Marks(NamedTuple):
    """The characters of bars."""

    work: str
    wait: str
    shared: str


BLOCKS: Final = Marks("█", "░", "▒")
ASCII: Final = Marks("#", ".", "=")


class _Line(NamedTuple):
    """One visit, or the visits that share a line.

    `status` and `items` are the status and the items of a sole visit, as they are shown.
    """

    spells: Sequence[Spell]
    status: str = ""
    items: str = ""

    @property
    def name(self) -> str:
        if len(self.spells) > 1:
            return f"({count(len(self.spells), 'visit')})"
        visit = self.spells[0].visit
        depth = visit.path.count(".")
        name = "  " * depth + visit.path.rpartition(".")[2]
        return f"{name} #{visit.visit}" if visit.visit > 1 else name

    @property
    def remark(self) -> str:
        """The span, the attempts, and the end unless it went well."""
        first, *others = self.spells
        if others:
            return ""
        visit = first.visit
        parts = [show_span(first.span_s)]
        if self.items:
            parts.append(self.items)
        elif visit.attempts > 1:
            parts.append(count(visit.attempts, "attempt"))
        if visit.status is not Status.SUCCEEDED:
            parts.append(self.status)
        return ", ".join(parts)


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
    lines = [_described(line, progress, run_status) for line in _shared(spells)]
    names = [shorten_name(line.name) for line in lines]
    name_width = max(map(len, names))
    remarks = [line.remark for line in lines]
    bar_width = max(_MIN_BAR, width - name_width - max(map(len, remarks)) - 4)
    drawn = [f"{'':{name_width}}  {_axis(span_s, bar_width)}".rstrip()]
    for line, name, remark in zip(lines, names, remarks, strict=True):
        bar = _bar(line.spells, start, span_s, bar_width, marks)
        if colours and len(line.spells) == 1:
            bar = paint(line.spells[0].visit.status, bar)
        drawn.append(f"{name:{name_width}}  {bar}  {remark}".rstrip())
    return [*drawn, *_notes(lines, never_started, marks)]


def _described(line: _Line, progress: Mapping[int, ItemProgress], run_status: str) -> _Line:
    visit = line.spells[0].visit
    items = progress.get(visit.visit_no)
    shown = "" if items is None else f"{show_done(items)} item{'' if items.total == 1 else 's'}"
    return _Line(line.spells, visit_status(visit.status, run_status), shown)


def shorten_name(name: str) -> str:
    """A name that fits into its column, with its depth."""
    depth = len(name) - len(name.lstrip(" "))
    return name[:depth] + shorten(name[depth:], max(8, _MAX_NAME - depth))


def _shared(spells: Sequence[Spell]) -> Iterator[_Line]:
    """The lines, in the order of starts."""
    alone = _alone(spells)
    between: list[Spell] = []
    for spell in spells:
        if spell.visit.visit_no not in alone:
            between.append(spell)
            continue
        if between:
            yield _Line(between)
            between = []
        yield _Line([spell])
    if between:
        yield _Line(between)


def _alone(spells: Sequence[Spell]) -> set[int]:
    """The numbers of the visits that have lines of their own."""
    if len(spells) <= _MAX_ALONE:
        return {spell.visit.visit_no for spell in spells}
    longest = sorted(spells, key=lambda spell: -spell.span_s)
    troubled = [spell for spell in longest if spell.visit.status is not Status.SUCCEEDED]
    ranked = [*troubled[:_MAX_TROUBLED], *longest]
    found: set[int] = set()
    for spell in ranked:
        if len(found) < _MAX_ALONE:
            found.add(spell.visit.visit_no)
    return found


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


def _notes(lines: Sequence[_Line], never_started: int, marks: Marks) -> Iterator[str]:
    shared = [line for line in lines if len(line.spells) > 1]
    if shared:
        visits = sum(len(line.spells) for line in shared)
        yield (
            f"{marks.shared} stands for several visits: {visits:,} in all, which were shorter than "
            "those with lines of their own."
        )
    if never_started:
        yield f"{count(never_started, 'task')} never started."
