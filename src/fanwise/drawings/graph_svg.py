"""Draws a picture of a workflow's order as SVG, alone or with the states of a run's tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from fanwise.drawings.icons import icon
from fanwise.drawings.picture import Arrow, Node, Picture, Shape
from fanwise.drawings.svg import drawing, element, escaped, text, text_width
from fanwise.drawings.task_states import TaskState
from fanwise.layout import Layout, Link, Point, Route, Size, layout
from fanwise.reports.plain import shorten
from fanwise.reports.progress import ItemProgress

_MARGIN: Final = 16
_PAD: Final = 12
_LINE: Final = 18
_BAR: Final = 6
_ICON: Final = 18
_NAME: Final = 13
_SMALL: Final = 11
_MAX_TEXT: Final = 48
_MIN_WIDTH: Final = 72
_HEAD: Final = 7

_DIRECTIONS: Final = {
    "down": "l-4-{0}h8z",
    "up": "l-4 {0}h8z",
    "left": "l{0}-4v8z",
}

Href = Callable[[str], str]
"""Returns the address of the page about a task."""


def graph_svg(
    picture: Picture,
    states: Mapping[str, TaskState] | None = None,
    *,
    title: str,
    href: Href | None = None,
) -> str:
    """The drawing as an element `svg`. Tasks have the states of `states`, and links to `href`.

    A task with items is one node, whose bar shows how many of them are done.
    """
    drawer = _Drawer(states, href)
    parts = [drawer.part(picture.nodes, picture.arrows)]
    parts += [drawer.part(ending.nodes, [*ending.arrows], ending.key) for ending in picture.endings]
    width = max(size.width for _, size in parts)
    drawn, top = [], 0
    for markup, size in parts:
        left = (width - size.width) // 2
        drawn.append(element("g", markup, transform=f"translate({left} {top})"))
        top += size.height
    return drawing(
        drawn, width=width, height=top, kind="graph", title=title, description=_described(picture)
    )


def _described(picture: Picture) -> str:
    tasks = [node for node in picture.nodes if node.task]
    counted = f"{len(tasks):,} task{'' if len(tasks) == 1 else 's'}"
    endings = [f"{len(ending.nodes):,} under {ending.key}" for ending in picture.endings]
    return f"{', and '.join([counted, *endings])}. Arrows lead from a task to those that follow it."


class _Drawer:
    """Draws parts of a picture: its tasks, and those of each ending."""

    def __init__(self, states: Mapping[str, TaskState] | None, href: Href | None) -> None:
        self._states = states
        self._href = href

    def part(
        self, nodes: Sequence[Node], arrows: Sequence[Arrow], key: str = ""
    ) -> tuple[str, Size]:
        """The markup of a part with its margin, and its size; that of an ending has a frame."""
        numbers = {node.id: number for number, node in enumerate(nodes)}
        links = [
            Link(numbers[arrow.source], numbers[arrow.target], _label_size(arrow.label))
            for arrow in arrows
        ]
        laid = layout([self._size(node) for node in nodes], links)
        before: dict[str, list[Node]] = {}
        for arrow in arrows:
            before.setdefault(arrow.target, []).append(nodes[numbers[arrow.source]])
        inner = [
            element("g", *_lines(arrows, laid), aria_hidden="true", class_="lines"),
            *(
                self._node(node, corner, before.get(node.id, ()))
                for node, corner in zip(nodes, laid.nodes, strict=True)
            ),
        ]
        return _framed(inner, laid.size, key)

    def _size(self, node: Node) -> Size:
        lines = [(line, _NAME if at == 0 else _SMALL) for at, line in enumerate(_texts(node))]
        widths = [text_width(*line) for line in lines]
        height = _LINE * len(lines)
        if (state := self._state(node)) is not None:
            widths += [_ICON + text_width(_remark(state), _SMALL)]
            height += _LINE + (2 * _BAR if _has_bar(state) else 0)
        width = max(_MIN_WIDTH, max(widths) + 2 * _PAD)
        return Size(width + width % 2, height + _PAD)

    def _state(self, node: Node) -> TaskState | None:
        return None if self._states is None else self._states.get(node.task)

    def _node(self, node: Node, corner: Point, before: Sequence[Node]) -> str:
        size, state = self._size(node), self._state(node)
        classes = ["node", node.shape.name.lower().replace("_", "-")]
        inner = [
            element("title", _spoken(node, state, [each.lines[0] for each in before])),
            *_boxes(node.shape, size),
        ]
        for at, line in enumerate(_texts(node)):
            font, kind = (_SMALL, "quiet") if at else (_NAME, "name")
            x, anchor = (_PAD, None) if node.task else (size.width // 2, "middle")
            y = _PAD // 2 + _LINE * at + 13
            inner.append(text(line, x, y, font, class_=kind, text_anchor=anchor))
        if state is not None:
            classes.append(state.status)
            inner += _state_parts(state, len(node.lines) * _LINE + _PAD // 2, size)
        place = f"translate({corner.x} {corner.y})"
        group = element("g", *inner, class_=" ".join(classes), transform=place)
        if self._href is None or not node.task:
            return group
        after = " ".join(dict.fromkeys(each.task for each in before if each.task))
        link = {"href": self._href(node.task), "data_task": node.task, "data_after": after}
        return element("a", group, **link)


def _texts(node: Node) -> Iterator[str]:
    return (shorten(line, _MAX_TEXT) for line in node.lines)


def _spoken(node: Node, state: TaskState | None, before: Iterable[str]) -> str:
    """The node for those who hear the drawing, and for a pointer that rests on it."""
    words = [", ".join(node.lines)]
    if state is not None:
        words.append(_remark(state))
    names = ", ".join(dict.fromkeys(before))
    return escaped(": ".join(words) + (f"; after {names}" if names else ""))


def _remark(state: TaskState) -> str:
    words = [state.status]
    if (items := state.items) is not None:
        words.append(items.counted)
        if items.failed:
            words.append(f"{items.failed:,} failed")
    return ", ".join([*words, *filter(None, [state.remark])])


def _has_bar(state: TaskState) -> bool:
    return state.items is not None and state.items.total is not None


def _boxes(shape: Shape, size: Size) -> Iterator[str]:
    """The outline of a node: that of a task with items lies on another one."""
    round_ = size.height // 2 if shape in (Shape.START, Shape.FAIL) else 4
    if shape is Shape.FAN_OUT:
        yield element("rect", x=4, y=4, **_box(size, round_))
    yield element("rect", **_box(size, round_))


def _box(size: Size, rounding: int) -> dict[str, str | float | None]:
    return {"width": size.width, "height": size.height, "rx": rounding, "class_": "box"}


def _state_parts(state: TaskState, y: int, size: Size) -> Iterator[str]:
    yield element("rect", x=0, y=4, width=4, height=size.height - 8, class_="edge")
    yield icon(state.status, _PAD, y + 3)
    yield text(_remark(state), _PAD + _ICON, y + 13, _SMALL, class_="remark")
    if state.items is not None and _has_bar(state):
        yield _bar(state.items, _PAD, y + _LINE + 2, size.width - 2 * _PAD)


def _bar(items: ItemProgress, x: int, y: int, width: int) -> str:
    """The shares of items that have succeeded, failed and been cancelled; the rest is empty."""
    total = max(items.total or 0, items.done)
    parts = [element("rect", x=x, y=y, width=width, height=_BAR, class_="all")]
    cancelled = items.done - items.succeeded - items.failed
    counts = {"succeeded": items.succeeded, "failed": items.failed, "cancelled": cancelled}
    begin = float(x)
    for status, count in counts.items():
        if count:
            span = max(1.0, width * count / total)  # also one of a million is seen
            begin = min(begin, x + width - span)
            bar = element("rect", x=begin, y=y, width=span, height=_BAR, class_="done")
            parts.append(element("g", bar, class_=status))
            begin += span
    return element("g", *parts, class_="bar")


def _label_size(label: str) -> Size | None:
    shown = shorten(label, _MAX_TEXT)
    return Size(text_width(shown, _SMALL) + 8, _LINE) if label else None


def _lines(arrows: Sequence[Arrow], laid: Layout) -> Iterator[str]:
    for route in laid.routes:
        kind = "line back" if route.is_back else "line"
        yield element("path", d=_path(route.points), class_=kind, fill="none")
        yield element("path", d=_head(route), class_="head")
    for arrow, route in zip(arrows, laid.routes, strict=True):
        if route.label is not None and (size := _label_size(arrow.label)):
            x, y = route.label
            yield element(
                "g",
                element("rect", x=x, y=y, width=size.width, height=size.height),
                text(shorten(arrow.label, _MAX_TEXT), x + 4, y + 13, _SMALL, class_="quiet"),
                class_="label",
            )


def _path(points: Sequence[Point]) -> str:
    """A line that is upright at the ends of each bend."""
    before = points[0]
    drawn = [f"M{before.x} {before.y}"]
    for point in points[1:]:
        middle = (before.y + point.y) // 2
        if point.x == before.x:
            drawn.append(f"V{point.y}")
        elif point.y == before.y:
            drawn.append(f"H{point.x}")
        else:
            drawn.append(f"C{before.x} {middle} {point.x} {middle} {point.x} {point.y}")
        before = point
    return "".join(drawn)


def _head(route: Route) -> str:
    before, end = route.points[-2:]
    way = "left" if before.y == end.y else "down" if before.y < end.y else "up"
    return f"M{end.x} {end.y}{_DIRECTIONS[way].format(_HEAD)}"


def _framed(inner: Sequence[str], size: Size, key: str) -> tuple[str, Size]:
    """A part with its margin; that of an ending has its key and a frame."""
    margin, top = (2 * _MARGIN, _MARGIN + _LINE) if key else (_MARGIN, _MARGIN)
    whole = Size(size.width + 2 * margin, size.height + top + margin)
    parts = [element("g", *inner, transform=f"translate({margin} {top})")]
    if key:
        size = Size(whole.width - 2 * _MARGIN, whole.height - _MARGIN)
        frame = element(
            "rect",
            x=_MARGIN,
            y=0,
            width=size.width,
            height=size.height,
            rx=6,
            class_="frame",
            fill="none",
        )
        parts = [frame, text(key, _MARGIN + 8, 16, _SMALL, class_="quiet"), *parts]
    return "".join(parts), whole
