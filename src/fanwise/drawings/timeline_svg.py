"""Draws the visits of a run over time as SVG, a lane for each, on the clock of its driver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from fanwise.drawings.graph_svg import Href
from fanwise.drawings.icons import icon
from fanwise.drawings.lanes import Lane, lanes
from fanwise.drawings.svg import drawing, element, escaped, text, text_width
from fanwise.reports.progress import ItemProgress
from fanwise.reports.timing import Spell
from fanwise.units import show_seconds, show_span

_MARGIN: Final = 16
_ROW: Final = 22
_BAR: Final = 10
_WIDTH: Final = 640
_MOST_TICKS: Final = 6
_STEPS: Final = (
    *(float(f"{digit}e{power}") for power in range(-6, 2) for digit in (1, 2, 5)),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3_600 * hours for hours in (1, 2, 3, 6, 12, 24, 48, 96, 240, 480)),
)
"""The seconds between two lines of the axis, of which the smallest is taken that leaves room."""

_FONT: Final = 12
_SMALL: Final = 11
_ICON: Final = 18
_DEPTH: Final = 12
_MAX_NAME: Final = 40
_MOST: Final = 200

_Parts = list[tuple[float, float]]


def timeline_svg(
    spells: Sequence[Spell],
    progress: Mapping[int, ItemProgress],
    *,
    clock: Callable[[float], float],
    run_status: str,
    critical: Collection[int] = (),
    title: str,
    href: Href | None = None,
) -> str:
    """The drawing as an element `svg`; `spells` are in the order of their starts.

    `clock` returns the seconds for which the run had been driven at a time. `progress` is that of
    visits with items, by `visit_no`, and `critical` has the numbers of the visits that led to the
    end of the run. Each lane is a link to `href` of its task.
    """
    timed = [spell.at(clock) for spell in spells]
    shown = lanes(timed, progress, run_status=run_status, most=_MOST)
    scale = _Scale(timed, clock)
    names = max((_name_width(lane) for lane in shown), default=0)
    remarks = max((text_width(lane.remark, _SMALL) for lane in shown), default=0)
    left = _MARGIN + names + 12
    height = 2 * _MARGIN + _ROW * (len(shown) + 1)
    parts = [element("g", *scale.axis(left, height), aria_hidden="true", class_="axis")]
    for number, lane in enumerate(shown, 1):
        drawn = _lane(lane, scale, left, is_critical=_visit_no(lane) in critical)
        group = element(
            "g",
            *drawn,
            class_=f"lane {lane.status}".rstrip(),
            transform=f"translate(0 {_MARGIN + number * _ROW})",
        )
        if href is not None and not lane.is_shared:
            group = element("a", group, href=href(lane.spells[0].visit.path))
        parts.append(group)
    return drawing(
        parts,
        width=left + _WIDTH + 12 + remarks + _MARGIN,
        height=height,
        kind="timeline",
        title=title,
        description=_described(shown, scale.span_s, has_critical=bool(critical)),
    )


def _described(shown: Sequence[Lane], span_s: float, *, has_critical: bool) -> str:
    words = [f"{len(shown):,} lanes over {show_span(span_s)}, each for a visit of a task."]
    if any(lane.is_shared for lane in shown):
        words.append("Visits that were shorter share some.")
    if has_critical:
        words.append("A line under a bar marks the visits that led to the end of the run.")
    return " ".join(words)


class _Scale:
    """Times as places: from the first start to the last end of visits."""

    def __init__(self, spells: Sequence[Spell], clock: Callable[[float], float]) -> None:
        begins = [begin for spell in spells for begin, _ in spell.parts]
        self._start = min(begins, default=0.0)
        self.clock = clock
        self.span_s = max((spell.ended_at for spell in spells), default=0.0) - self._start

    def at(self, time: float) -> float:
        """The place of a time on the clock."""
        share = (time - self._start) / self.span_s if self.span_s > 0 else 0.0
        return min(max(0.0, share), 1.0) * _WIDTH

    def axis(self, left: int, height: int) -> Iterator[str]:
        """The times above the bars, and upright lines."""
        step_s = next((each for each in _STEPS if self.span_s <= each * _MOST_TICKS), _STEPS[-1])
        for tick in range(min(_MOST_TICKS, int(self.span_s / step_s)) + 1):
            x = round(left + self.at(self._start + tick * step_s))
            label = _time(tick * step_s) if tick else "0"
            anchor = "middle" if tick else "start"
            yield text(label, x, _MARGIN + 6, _SMALL, class_="quiet", text_anchor=anchor)
            yield element(
                "path", d=f"M{x} {_MARGIN + 14}V{height - _MARGIN}", class_="grid", fill="none"
            )


def _time(seconds: float) -> str:
    """A round time on the axis."""
    if seconds < 60:
        return show_seconds(seconds)
    return show_span(seconds).replace(" 00 min", "").replace(" 00 s", "")


def _name_width(lane: Lane) -> int:
    return _ICON + _DEPTH * lane.depth + text_width(lane.short_name(_MAX_NAME), _FONT)


def _visit_no(lane: Lane) -> int | None:
    return None if lane.is_shared else lane.spells[0].visit.visit_no


def _lane(lane: Lane, scale: _Scale, left: int, *, is_critical: bool) -> Iterator[str]:
    """A lane from its upper side on: its name, its bar, and a remark behind the bars."""
    path = lane.name if lane.is_shared else lane.spells[0].visit.path
    yield element("title", escaped(f"{path}: {lane.status} {lane.remark}".rstrip(": ")))
    indent = _MARGIN + _DEPTH * lane.depth
    yield icon(lane.status, indent, 5)
    yield text(lane.short_name(_MAX_NAME), indent + _ICON, 15, _FONT, class_="name")
    bar = _shared_bar(lane, scale) if lane.is_shared else _own_bar(lane.spells[0], scale)
    parts = list(bar)
    if is_critical:
        begin = min(scale.at(start) for start, _ in lane.spells[0].parts)
        end = max(scale.at(end) for _, end in lane.spells[0].parts)
        parts.append(_block(begin, end, y=_BAR + 2, height=2, kind="critical"))
    yield element("g", *parts, class_="bar", transform=f"translate({left} 5)")
    yield text(lane.remark, left + _WIDTH + 12, 15, _SMALL, class_="remark")


def _own_bar(spell: Spell, scale: _Scale) -> Iterator[str]:
    """The parts of a visit: its delay, its work, and within them its failed attempts."""
    waits = spell.works_at > spell.started_at
    for start, end in spell.parts:
        works = min(max(start, spell.works_at), end) if waits else start
        if works > start:
            yield _block(scale.at(start), scale.at(works), kind="wait")
        if end > works or works == start:
            yield _block(scale.at(works), scale.at(end), kind="done")
    for attempt in spell.visit.earlier:
        begin = scale.at(scale.clock(attempt.started_at))
        end = scale.at(scale.clock(attempt.started_at + attempt.duration_s))
        words = f"attempt {attempt.attempt}: {attempt.type}, {show_span(attempt.duration_s)}"
        block = _block(begin, end, kind="done")
        yield element("g", element("title", escaped(words)), block, class_="failed attempt")


def _shared_bar(lane: Lane, scale: _Scale) -> Iterator[str]:
    """The times in which some of the visits were driven, joined where they would touch."""
    spans = sorted(
        (scale.at(start), scale.at(end)) for spell in lane.spells for start, end in spell.parts
    )
    for begin, end in _joined(spans):
        yield _block(begin, end, kind="wait")


def _joined(spans: Iterable[tuple[float, float]]) -> _Parts:
    joined: _Parts = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return joined


def _block(begin: float, end: float, *, y: int = 0, height: int = _BAR, kind: str) -> str:
    """A rectangle, which is seen also if no time has passed."""
    width = max(1.0, end - begin)
    return element(
        "rect", x=min(begin, _WIDTH - width), y=y, width=width, height=height, class_=kind
    )
