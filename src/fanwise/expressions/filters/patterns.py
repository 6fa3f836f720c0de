r"""Filters and a test that search a text by a regular expression, in time linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fanwise.expressions.budget import ELEMENT_BYTES, Budget
from fanwise.expressions.filters.texts import text_of
from fanwise.expressions.refusal import EvaluationError
from fanwise.expressions.traversal import to_text
from fanwise.patterns import Expression, Match
from fanwise.patterns import compiled as compiled_by_re2

_FEW_INSTRUCTIONS = 16  # An expression of so few has few states, which RE2 keeps at hand.
_GROUP = re.compile(r"\\(?:(\d)|g<(\w+)>|(.?))", re.DOTALL)
# Jinja2 makes these of "\1" to "\7", "\b" and so on: no expression has a use for them.
_UNESCAPED = re.compile("[\x00-\x08\x0b\x0c]")


def compiled(pattern: str) -> Expression:
    """The expression that `pattern` spells. Raises `EvaluationError` for a faulty one."""
    _refuse_control_characters(pattern)
    try:
        return compiled_by_re2(pattern)
    except ValueError as error:
        raise EvaluationError(
            f"the regular expression is wrong or too large: {error}.",
            "The syntax is RE2's, without references back and without looking around.",
        ) from None


def search(budget: Budget, value: object, pattern: str, group: int | str = 0) -> str | None:
    """The first part of the text that the expression matches, or a group of it; null for none."""
    expression, text = _prepared(budget, value, pattern)
    for match in _matches(budget, expression, text):
        return _part(match, group)
    return None


def findall(budget: Budget, value: object, pattern: str) -> list[object]:
    """All parts that the expression matches: texts, or its groups if it has some."""
    expression, text = _prepared(budget, value, pattern)
    groups = expression.groups
    found: list[object] = []
    for match in _matches(budget, expression, text):
        budget.step(groups)
        budget.allocate(ELEMENT_BYTES * groups)
        parts = [match[0]] if groups == 0 else list(match.groups(default=""))
        found.append(parts[0] if groups < 2 else parts)
    return found


def replace(
    budget: Budget, value: object, pattern: str, replacement: str = "", count: int = 0
) -> str:
    r"""The text with each match replaced, in which `\1` and `\g<name>` stand for groups."""
    expression, text = _prepared(budget, value, pattern)
    pieces = _pieces(text_of(replacement))
    parts, end = [], 0
    for number, match in enumerate(_matches(budget, expression, text), start=1):
        made = "".join([part if isinstance(part, str) else _named(match, part) for part in pieces])
        budget.step(len(pieces))
        budget.text(made)
        parts += [text[end : match.start()], made]
        end = match.end()
        if number == count:
            break
    budget.text(text)
    return "".join([*parts, text[end:]])


def is_found(budget: Budget, value: object, pattern: str) -> bool:
    """True if the expression matches somewhere in the text."""
    return search(budget, value, pattern) is not None


def _prepared(budget: Budget, value: object, pattern: str) -> tuple[Expression, str]:
    expression = compiled(text_of(pattern))
    if budget.is_first(pattern):
        budget.allocate(len(pattern))
        budget.step(100 + 8 * expression.programsize)
    return expression, to_text(budget, value)


def _matches(budget: Budget, expression: Expression, text: str) -> Iterator[Match]:
    """The matches from left to right, each search paid as if it had read the rest of the text."""
    size, unit = expression.programsize, 1 if text.isascii() else 4
    found = expression.finditer(text)
    start = 0
    while True:
        rest = unit * (len(text) - start)
        budget.step(30 + (rest >> 5 if size <= _FEW_INSTRUCTIONS else rest * size >> 3))
        match = next(found, None)
        if match is None:
            return
        length = match.end() - match.start()
        budget.step(unit * length * size >> 3)
        budget.allocate(2 * ELEMENT_BYTES + unit * length)
        yield match
        start = match.end()


def _part(match: Match, group: int | str) -> str | None:
    try:
        return match[group]
    except (IndexError, TypeError):
        raise EvaluationError(
            "the regular expression has no such group.", "Groups count from 1; 0 is the whole."
        ) from None


def _named(match: Match, group: tuple[int | str]) -> str:
    return _part(match, group[0]) or ""


def _pieces(replacement: str) -> list[str | tuple[int | str]]:
    """The texts of a replacement, and the groups between them in tuples."""
    _refuse_control_characters(replacement)
    pieces: list[str | tuple[int | str]] = []
    end = 0
    for match in _GROUP.finditer(replacement):
        number, name, other = match.groups()
        pieces.append(replacement[end : match.start()])
        end = match.end()
        if number or name:
            group = number or name
            pieces.append((int(group) if group.isdecimal() else group,))
        elif other == "\\":
            pieces.append(other)
        else:
            raise EvaluationError(
                "the replacement has a backslash that names no group.",
                "Write four of them for a backslash, and two and a number for a group.",
            )
    return [*pieces, replacement[end:]]


def _refuse_control_characters(text: str) -> None:
    if _UNESCAPED.search(text):
        raise EvaluationError(
            "it has a control character, which a single backslash in a text makes.",
            r"Write two, as in '\\b' and '\\1'.",
        )
