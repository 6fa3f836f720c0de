"""Draws the tasks of a run over time, a line for each visit. Prints nothing.

Of very many visits those that went wrong and the longest have lines of their own, and what lies
between two of them shares one; so a drawing is never longer than about two screens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from fanwise.cli.text.render import count, paint, shorten
from fanwise.model import Status
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
    """One visit, or the visits that share a line."""

    spells: Sequence[Spell]

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
        if visit.items is not None:
            parts.append(count(visit.items.total, "item"))
        elif visit.attempts > 1:
            parts.append(count(visit.attempts, "attempt"))
        if visit.status is not Status.SUCCEEDED:
            parts.append(visit.status.value)
        return ", ".join(parts)


def timeline_lines(
    spells: Sequence[Spell], never_started: int, *, width: int, marks: Marks, colours: bool
) -> list[str]:
    """The drawing, `width` columns wide; `spells` are in the order of their starts."""
    if not spells:
        return ["No task has started."]
    start = min(spell.started_at for spell in spells)
    span_s = max(spell.ended_at for spell in spells) - start
    lines = list(_shared(spells))
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
    for spell in spells:
        begin, works, end = (
            round((at - start) / span_s * width) if span_s else 0
            for at in (spell.started_at, spell.works_at, spell.ended_at)
        )
        begin = min(begin, width - 1)
        end = max(end, begin + 1)  # also what took no time is seen
        wait = min(works, end) - begin if spell.works_at > spell.started_at else 0
        work = marks.work if len(spells) == 1 else marks.shared
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
