"""Elements of SVG as text, the widths of texts, and whole files.

Measures are attributes and hold without a stylesheet; colours follow from classes: those of the
parts (`node`, `line`, `label`, ...), and the statuses of runs and tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Final
from unicodedata import combining, east_asian_width

from fanwise.reports.plain import clean

FONT: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_LETTER: Final = 0.61  # of the font's size; fonts of one width have 0.55 to 0.61

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
_no_xml = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """Text of others for an element or an attribute: one line, without control characters."""
    return _no_xml.sub("", clean(text)).translate(_ESCAPES)


def element(name: str, *inner: str, **attributes: str | float | None) -> str:
    """An element around `inner`, which is markup. The values of attributes are escaped.

    `class_` is the attribute `class`, and `font_size` is `font-size`; None leaves one out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(inner)}</{name}>" if inner else f"<{name}{written}/>"


def text(line: str, x: float, y: float, size: int, **attributes: str | None) -> str:
    """A line of text of others, whose base begins at a place."""
    return element("text", escaped(line), x=x, y=y, font_size=size, **attributes)


def text_width(line: str, size: int) -> int:
    """The width of a line of text, no less than fonts of one width need."""
    cells = sum(
        0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in line
    )
    return round(cells * size * _LETTER + 0.5)


def drawing(
    parts: Iterable[str], *, width: int, height: int, kind: str, title: str, description: str
) -> str:
    """A whole drawing as an element for a page. `kind` is its class beside `drawing`."""
    return element(
        "svg",
        element("title", escaped(title)),
        element("desc", escaped(description)),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        class_=f"drawing {kind}",
        role="group",
        aria_label=title,
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
        font_family=FONT,
    )


def document(drawn: str) -> str:
    """A drawing as a file of its own, in the colours of `colours.css`, light and dark."""
    start, end = drawn.index("<title>"), drawn.index("</desc>") + len("</desc>")
    paper = element("rect", class_="paper", width="100%", height="100%")
    style = f"<style>\n{_colours()}</style>"
    head = drawn[start:end]
    return f"{drawn[:start]}{head}\n{style}\n{paper}\n{drawn[end:]}\n"


@cache
def _colours() -> str:
    return resources.files("fanwise.drawings").joinpath("colours.css").read_text("utf-8")


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escaped(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
