"""Finds the places of a text's characters in the YAML file that it was written in.

Folding, indentation and line ends change white space alone, so the other characters of a text and
of its source correspond, one by one. A text that is written otherwise, such as with the code of a
character, is told by its start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from fanwise.definition.yaml.nodes import Spot

_VISIBLE = re.compile(r"\S")
_QUOTED = {
    "'": re.compile(r"''|\S"),
    '"': re.compile(r"\\(?:x..|u.{4}|U.{8}|.)|[^\s\\]"),
}
_ESCAPED_SPACE = re.compile(r"\\[ntrvfNLP_ \t]")


def spots_within(
    lines: Sequence[str], spot: Spot, text: str, offsets: Sequence[int]
) -> Iterator[Spot]:
    """The spot of each offset, in ascending order, of a text that begins at `spot`.

    The start of a text in quotes is told by its quote.
    """
    is_quoted = _character(lines, spot) in _QUOTED
    marks = _marks(lines, spot)
    found, taken, counted, passed = spot, 0, 0, 0
    for offset in offsets:
        passed += len(_VISIBLE.findall(text, counted, offset))
        counted = offset
        if passed >= taken:
            found = next(islice(marks, passed - taken, None), spot)
            taken = passed + 1
        is_found = _character(lines, found) == text[offset : offset + 1]
        yield found if is_found and not (is_quoted and offset == 0) else spot


def _character(lines: Sequence[str], spot: Spot) -> str:
    line, column = spot
    return lines[line - 1][column - 1 : column] if line <= len(lines) else ""


def _marks(lines: Sequence[str], spot: Spot) -> Iterator[Spot]:
    """The spots of all characters but white space, from the start of the text at `spot`."""
    line, column = spot
    first = _character(lines, spot)
    if first and first in "|>":  # A block begins on the next line.
        line, column = line + 1, 1
    elif first in _QUOTED:
        column += 1
    pattern = _QUOTED.get(first, _VISIBLE)
    for number in range(line, len(lines) + 1):
        for match in pattern.finditer(lines[number - 1], column - 1):
            if first != '"' or not _ESCAPED_SPACE.fullmatch(match.group()):
                yield number, match.start() + 1
        column = 1
