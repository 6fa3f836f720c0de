"""Short ways for the most common templates: a path alone, and a text with paths in it.

They give what the full evaluation gives, or leave it to that: whatever they can't read at once,
large texts, and values that are neither text nor integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanwise.expressions.references import NOT_DIRECT, ValuePath

_MAX_PATHS = 16
_MAX_LENGTH = 16_384  # With at most 16 paths, a text that isn't paid for stays small.


def value_reader(path: ValuePath, full: Callable[..., object]) -> Callable[..., object]:
    """The evaluator of a template that is one path; `full` is the complete one."""
    if path.reference[0] == "item" and len(path.steps) == 1:
        key = path.steps[0].key

        def read_item(context: Any, outcome: Any = None) -> Any:
            try:
                return context.item[key]
            except NOT_DIRECT:
                return full(context, outcome)

        return read_item
    read = path.direct()

    def read_path(context: object, outcome: object = None) -> object:
        try:
            return read(context)
        except NOT_DIRECT:
            return full(context, outcome)

    return read_path


def text_reader(parts: list[str | ValuePath], full: Callable[..., object]) -> Callable[..., object]:
    """The evaluator of a template that is a text with paths in it."""
    texts = [part if isinstance(part, str) else "" for part in parts]
    paths = [(at, part.direct()) for at, part in enumerate(parts) if isinstance(part, ValuePath)]
    if not paths:
        whole = "".join(texts)
        return lambda _context, _outcome=None: whole
    if len(paths) > _MAX_PATHS:
        return full

    def read_text(context: object, outcome: object = None) -> object:
        result = texts.copy()
        try:
            for at, read in paths:
                value = read(context)
                if type(value) is int:
                    value = str(value)
                if type(value) is not str or len(value) > _MAX_LENGTH:
                    return full(context, outcome)
                result[at] = value
        except NOT_DIRECT:
            return full(context, outcome)
        return "".join(result)

    return read_text
