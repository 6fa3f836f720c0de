"""Draws a picture as a Mermaid flowchart, which GitHub, GitLab and many editors show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fanwise.drawings.picture import Arrow, Node, Picture, Shape

_BRACKETS: Final = {
    Shape.TASK: ("[", "]"),
    Shape.FAN_OUT: ("[[", "]]"),
    Shape.START: ("([", "])"),
    Shape.FAIL: ("((", "))"),
}

# Mermaid has no escapes but entities, and looks for comments, directives, Markdown and HTML also
# inside of quotes. So whatever isn't known to be harmless there becomes an entity.
_HARMLESS: Final = frozenset(" _.,!?=+-/'()[]×")


def mermaid_lines(picture: Picture) -> Iterator[str]:
    """The lines of a flowchart. No text of the workflow can end its label or begin another."""
    yield "flowchart TD"
    yield from _parts(picture.nodes, picture.arrows, "    ")
    for ending in picture.endings:
        yield f'    subgraph ending_{ending.id}["{ending.key}"]'
        yield from _parts(ending.nodes, ending.arrows, "        ")
        yield "    end"


def _parts(nodes: Iterable[Node], arrows: Iterable[Arrow], indent: str) -> Iterator[str]:
    for node in nodes:
        opening, closing = _BRACKETS[node.shape]
        text = "<br>".join(map(_escaped, node.lines))
        yield f'{indent}{node.id}{opening}"{text}"{closing}'
    for arrow in arrows:
        label = f'|"{_escaped(arrow.label)}"|' if arrow.label else ""
        yield f"{indent}{arrow.source} -->{label} {arrow.target}"


def _escaped(text: str) -> str:
    return "".join(
        letter if letter.isalnum() or letter in _HARMLESS else f"#{ord(letter)};" for letter in text
    )
