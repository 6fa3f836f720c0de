"""Draws a picture in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fanwise.drawings.picture import Arrow, Node, Picture, Shape

_SHAPES: Final = {
    Shape.TASK: "box",
    Shape.FAN_OUT: "box3d",
    Shape.START: "oval",
    Shape.FAIL: "octagon",
}

# Graphviz reads escapes and entities in its texts.
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})


def dot_lines(picture: Picture) -> Iterator[str]:
    """The lines of a digraph. No text of the workflow can end its label or begin another."""
    yield "digraph workflow {"
    yield from _parts(picture.nodes, picture.arrows, "    ")
    for ending in picture.endings:
        yield f"    subgraph cluster_{ending.id} {{"
        yield f'        label="{ending.key}";'
        yield from _parts(ending.nodes, ending.arrows, "        ")
        yield "    }"
    yield "}"


def _parts(nodes: Iterable[Node], arrows: Iterable[Arrow], indent: str) -> Iterator[str]:
    for node in nodes:
        text = "\\n".join(line.translate(_ESCAPES) for line in node.lines)
        yield f'{indent}{node.id} [shape={_SHAPES[node.shape]}, label="{text}"];'
    for arrow in arrows:
        label = f' [label="{arrow.label.translate(_ESCAPES)}"]' if arrow.label else ""
        yield f"{indent}{arrow.source} -> {arrow.target}{label};"
