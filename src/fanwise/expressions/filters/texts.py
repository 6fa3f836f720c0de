"""Filters and methods on text. Each pays for its result before it is made.

Filters take any value and print it first, as in Jinja2; methods are called on text alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from fanwise.expressions.budget import ELEMENT_BYTES, Budget
from fanwise.expressions.flow import Undefined, kind
from fanwise.expressions.refusal import EvaluationError
from fanwise.expressions.traversal import listed, measure, to_text
from fanwise.values import LazyList

_WORD = re.compile(r"\w+")
_WORD_START = re.compile(r"([-\s({\[<]+)")
_FIELD = re.compile(r"\S+")
_LINE_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_WRAPPED = re.compile("[\t ]+|[^\t\n\v\f\r ]+")
_CASE_GROWTH = 3  # No character has a case of more than three characters.
_LEEWAY = 5
_WRAPPER_STEPS = 100
_RUN_STEPS = 8


def text_of(value: object) -> str:
    """The value itself if it is text. Raises `EvaluationError` for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        value.refuse()
    raise EvaluationError(f"{kind(value)} is given where text is needed.")


def capitalize(budget: Budget, value: object) -> str:
    """The text with its first letter in upper case and all others in lower case."""
    return str(METHODS["capitalize"](budget, to_text(budget, value)))


def center(budget: Budget, value: object, width: int = 80) -> str:
    """The text in the middle of a field of `width` characters."""
    return str(METHODS["center"](budget, to_text(budget, value), width))


def indent(
    budget: Budget, value: object, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    """The text with every line but the first indented, blank ones only with `blank`."""
    text = text_of(value)
    size = len(width) if isinstance(width, str) else max(width, 0)
    lines = split_lines(budget, text)
    budget.allocate(2 * (len(text) + 4 * (size + 1) * (len(lines) + 1)))
    margin = width if isinstance(width, str) else " " * width
    # A last line that is empty counts, which str.splitlines doesn't say.
    lines = (text + "\n").splitlines()
    rest = [margin + line if line or blank else line for line in lines[1:]]
    return "\n".join([margin + lines[0] if first else lines[0], *rest])


def lower(budget: Budget, value: object) -> str:
    """The text in lower case."""
    return str(METHODS["lower"](budget, to_text(budget, value)))


def replace(
    budget: Budget, value: object, old: object, new: object, count: int | None = None
) -> str:
    """The text with `old` replaced by `new`, at most `count` times."""
    text, before, after = (to_text(budget, part) for part in (value, old, new))
    return replaced(budget, text, before, after, -1 if count is None else count)


def replaced(budget: Budget, text: str, old: str, new: str, count: int = -1) -> str:
    """`text.replace(old, new, count)`."""
    budget.text(text)
    budget.search(text, text_of(old))
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    budget.text(text_of(new), times)
    return text.replace(old, new, count)


def title(budget: Budget, value: object) -> str:
    """The text with each word's first letter in upper case and all others in lower case."""
    text = to_text(budget, value)
    budget.step(2 * len(text))
    budget.allocate(ELEMENT_BYTES * (len(text) + 1))
    parts = [part for part in _WORD_START.split(text) if part]
    return "".join([part[0].upper() + part[1:].lower() for part in parts])


def trim(budget: Budget, value: object, chars: str | None = None) -> str:
    """The text without these characters, or white space, at its ends."""
    return str(METHODS["strip"](budget, to_text(budget, value), chars))


def truncate(
    budget: Budget,
    value: object,
    length: int = 255,
    killwords: bool = False,
    end: str = "...",
    leeway: int | None = None,
) -> str:
    """The text cut to `length` characters with `end` as its last, unless it fits with leeway."""
    text = text_of(value)
    spare = _LEEWAY if leeway is None else leeway
    if length < len(end) or spare < 0:
        raise EvaluationError("a text can't be cut to fewer characters than its ending has.")
    if len(text) <= length + spare:
        return text
    budget.text(text)
    cut = text[: length - len(end)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + end


def upper(budget: Budget, value: object) -> str:
    """The text in upper case."""
    return str(METHODS["upper"](budget, to_text(budget, value)))


def urlencode(budget: Budget, value: object) -> str:
    """The text quoted for a URL's path, or a map or list of pairs as a URL's query."""
    if isinstance(value, list | tuple | dict | LazyList):
        pairs = value.items() if isinstance(value, dict) else value
        quoted = [
            "=".join([_quoted(budget, to_text(budget, part), quote_plus, "") for part in (k, v)])
            for k, v in pairs
        ]
        return "&".join(quoted)
    return _quoted(budget, to_text(budget, value), quote, "/")


def wordcount(budget: Budget, value: object) -> int:
    """The number of words."""
    return _count(budget, _WORD, to_text(budget, value))


def wordwrap(
    budget: Budget,
    value: object,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> str:
    """The text with line breaks, so that its lines have at most `width` characters."""
    import textwrap

    text = text_of(value)
    line_end = "\n" if wrapstring is None else text_of(wrapstring)
    lines = split_lines(budget, text)
    budget.step(_WRAPPER_STEPS * len(lines))
    # The search for hyphens takes the square of a word's length; so does a row of blanks that
    # starts a line.
    for run in _WRAPPED.finditer(text):
        budget.step(_RUN_STEPS + ((run.end() - run.start()) ** 2 >> 6))
    budget.step(len(text))
    budget.text(line_end, len(text) + 1)
    budget.allocate(ELEMENT_BYTES * len(text))
    wrapped = [
        line_end.join(
            textwrap.wrap(
                line,
                width=width,
                expand_tabs=False,
                replace_whitespace=False,
                break_long_words=break_long_words,
                break_on_hyphens=break_on_hyphens,
            )
        )
        for line in lines
    ]
    return line_end.join(wrapped)


def join_texts(budget: Budget, separator: str, value: object) -> str:
    """`separator.join(value)`, which takes texts only."""
    parts = [text_of(part) for part in listed(budget, value)]
    return joined(budget, separator, parts)


def joined(budget: Budget, separator: str, parts: list[str]) -> str:
    """The parts with the separator between them."""
    budget.text(separator, len(parts))
    budget.step(len(parts))
    budget.allocate(sum(len(part) if part.isascii() else 4 * len(part) for part in parts))
    return separator.join(parts)


def split(budget: Budget, text: str, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    """The parts of the text between separators, or its words."""
    _pay_parts(budget, text, sep)
    return text.split(sep, maxsplit)


def split_right(budget: Budget, text: str, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    """As `split`, counting `maxsplit` from the end."""
    budget.scan(len(text) * len(sep or ""))
    _pay_parts(budget, text, sep)
    return text.rsplit(sep, maxsplit)


def split_lines(budget: Budget, text: str, keepends: bool = False) -> list[str]:
    """The lines of the text."""
    budget.text(text)
    count = 1 + _count(budget, _LINE_END, text)
    budget.step(count)
    budget.allocate(ELEMENT_BYTES * count)
    return text.splitlines(keepends)


def _pay_parts(budget: Budget, text: str, sep: str | None) -> None:
    budget.text(text)
    if sep is None:
        count = _count(budget, _FIELD, text)
    else:
        budget.search(text, sep)
        count = text.count(sep) + 1
    budget.step(2 * count)
    budget.allocate(ELEMENT_BYTES * count)


def _count(budget: Budget, pattern: re.Pattern[str], text: str) -> int:
    """The number of matches, each paid for."""
    budget.read(len(text))
    count = 0
    for _ in pattern.finditer(text):
        budget.step()
        count += 1
    return count


def _quoted(budget: Budget, text: str, apply: Callable[..., str], safe: str) -> str:
    budget.step(len(text) * (1 if text.isascii() else 4))
    budget.allocate((3 if text.isascii() else 12) * len(text))
    return apply(text, safe=safe)


def _asking(method: Callable[..., object]) -> Callable[..., object]:
    """A method that says something of all characters: true or false."""

    def run(budget: Budget, text: str) -> object:
        budget.read(len(text))
        return method(text)

    return run


def _searching(method: Callable[..., object]) -> Callable[..., object]:
    """A method that searches from the start; its result isn't larger than the text."""

    def run(budget: Budget, text: str, part: str, *args: object) -> object:
        budget.search(text, part)
        budget.text(text)
        return method(text, part, *args)

    return run


def _searching_back(method: Callable[..., object]) -> Callable[..., object]:
    """A method that searches from the end, which takes the product of both lengths."""

    def run(budget: Budget, text: str, part: str, *args: object) -> object:
        budget.scan(len(text) * len(part))
        budget.text(text)
        return method(text, part, *args)

    return run


def _at_end(method: Callable[..., object]) -> Callable[..., object]:
    """A method that looks at the start or the end of a text."""

    def run(budget: Budget, text: str, *args: object) -> object:
        for argument in args:
            measure(budget, argument)
        budget.text(text)
        return method(text, *args)

    return run


def _cased(method: Callable[[str], str]) -> Callable[..., object]:
    def run(budget: Budget, text: str) -> str:
        budget.text(text, _CASE_GROWTH)
        return method(text)

    return run


def _stripped(method: Callable[[str, str | None], str]) -> Callable[..., object]:
    def run(budget: Budget, text: str, chars: str | None = None) -> str:
        budget.scan(len(text) * len(chars or ""))
        budget.text(text)
        return method(text, chars)

    return run


def _padded(method: Callable[..., str]) -> Callable[..., object]:
    def run(budget: Budget, text: str, width: int, *fill: str) -> str:
        budget.text(text)
        budget.scan(4 * max(width, 0))
        budget.allocate(4 * max(width, 0))
        return method(text, width, *fill)

    return run


_METHODS_BY_COST: list[tuple[Callable[..., Callable[..., object]], list[Callable[..., object]]]] = [
    (_asking, [str.isalnum, str.isalpha, str.isascii, str.isdecimal, str.isdigit]),
    (_asking, [str.islower, str.isnumeric, str.isspace, str.istitle, str.isupper]),
    (_at_end, [str.endswith, str.removeprefix, str.removesuffix, str.startswith]),
    (_searching, [str.count, str.find, str.index, str.partition]),
    (_searching_back, [str.rfind, str.rindex, str.rpartition]),
    (_cased, [str.capitalize, str.casefold, str.lower, str.swapcase, str.title, str.upper]),
    (_stripped, [str.lstrip, str.rstrip, str.strip]),
    (_padded, [str.center, str.ljust, str.rjust, str.zfill]),
]

METHODS: dict[str, Callable[..., object]] = {
    **{method.__name__: cost(method) for cost, methods in _METHODS_BY_COST for method in methods},
    "join": join_texts,
    "replace": replaced,
    "rsplit": split_right,
    "split": split,
    "splitlines": split_lines,
}
