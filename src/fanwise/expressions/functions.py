"""The table of all filters, tests, functions and methods that templates have.

What isn't listed here doesn't exist for a template. Each takes a `Budget` and the value, then the
arguments that the template gives, and pays for its result before it is allocated, so that nothing
has to be bounded from outside. What Jinja2 has means the same here, with two deliberate
differences: `tojson` gives plain JSON text without escapes for HTML, and `int` and `float` refuse
what is no number unless they have a default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any

from fanwise.expressions.budget import Budget
from fanwise.expressions.filters import dates, lists, maps, numbers, patterns, pipelines, texts
from fanwise.expressions.filters.checks import CHECKS
from fanwise.expressions.filters.formats import braces, printf
from fanwise.expressions.flow import Undefined
from fanwise.expressions.refusal import MISFITS, EvaluationError
from fanwise.expressions.traversal import kinds, to_text
from fanwise.values import LazyList

_MAX_BOUND = 2**63


class Function:
    """One entry of the table. `title` is what messages call it, as in `filter "upper"`."""

    def __init__(self, title: str, function: Callable[..., object]) -> None:
        self.title = title
        self._function = function

    @cached_property
    def signature(self) -> inspect.Signature:
        """Its parameters: the budget, the value, and the template's arguments."""
        return inspect.signature(self._function)

    def __call__(self, budget: Budget, /, *args: object, **kwargs: object) -> Any:
        """Call it. Raises `EvaluationError` where it fails, whose reason quotes no value."""
        try:
            budget.step()
            return self._function(budget, *args, **kwargs)
        except MISFITS as error:
            given = (*args, *kwargs.values())
            for value in given:
                if isinstance(value, Undefined):
                    value.refuse()
            if isinstance(error, TypeError):
                raise EvaluationError(f"{self.title} can't take {kinds(*given)}.") from None
            raise EvaluationError(f"{self.title} has no result for what it is given.") from None


def _range(_budget: Budget, *bounds: int) -> range:
    if any(abs(bound) > _MAX_BOUND for bound in bounds):
        raise EvaluationError("a range can't go beyond 2**63.")
    found = range(*bounds)
    try:
        len(found)
    except OverflowError:
        raise EvaluationError("a range of that length can't be counted.") from None
    return found


def _format(budget: Budget, value: object, /, *args: object, **kwargs: object) -> str:
    if args and kwargs:
        raise EvaluationError("format takes values by place or by name, not both.")
    return printf(budget, to_text(budget, value), kwargs or args)


def _braces(budget: Budget, value: str, /, *args: object, **kwargs: object) -> str:
    return braces(budget, value, args, kwargs)


_FILTERS: dict[str, Callable[..., object]] = {
    "abs": numbers.absolute,
    "batch": pipelines.batch,
    "capitalize": texts.capitalize,
    "center": texts.center,
    "combine": maps.combine,
    "count": numbers.length_,
    "d": numbers.default,
    "date": dates.date_,
    "default": numbers.default,
    "dictsort": lists.dictsort,
    "first": lists.first,
    "float": numbers.as_float,
    "format": _format,
    "fromjson": numbers.fromjson,
    "groupby": lists.groupby,
    "indent": texts.indent,
    "int": numbers.as_int,
    "items": pipelines.items,
    "join": lists.join,
    "last": lists.last,
    "length": numbers.length_,
    "list": lists.as_list,
    "lower": texts.lower,
    "map": pipelines.map_,
    "max": lists.maximum,
    "min": lists.minimum,
    "product": pipelines.product,
    "regex_findall": patterns.findall,
    "regex_replace": patterns.replace,
    "regex_search": patterns.search,
    "reject": pipelines.reject,
    "rejectattr": pipelines.rejectattr,
    "replace": texts.replace,
    "reverse": pipelines.reverse,
    "round": numbers.round_,
    "select": pipelines.select,
    "selectattr": pipelines.selectattr,
    "shift": dates.shift,
    "slice": pipelines.slice_,
    "sort": lists.sort,
    "strftime": dates.strftime,
    "string": numbers.string,
    "sum": lists.sum_,
    "timestamp": dates.timestamp,
    "title": texts.title,
    "tojson": numbers.tojson,
    "trim": texts.trim,
    "truncate": texts.truncate,
    "unique": pipelines.unique,
    "upper": texts.upper,
    "urlencode": texts.urlencode,
    "wordcount": texts.wordcount,
    "wordwrap": texts.wordwrap,
    "zip": pipelines.zip_,
}

_LIST_METHODS: dict[str, Callable[..., object]] = {
    "count": lists.list_count,
    "index": lists.list_index,
}

_MAP_METHODS: dict[str, Callable[..., object]] = {
    "get": lists.dict_get,
    "items": lists.dict_items,
    "keys": lists.dict_keys,
    "values": lists.dict_values,
}


def _table(title: str, functions: dict[str, Callable[..., Any]]) -> dict[str, Function]:
    return {name: Function(f'{title} "{name}"', call) for name, call in functions.items()}


FILTERS = _table("filter", _FILTERS)
TESTS = _table("test", CHECKS)
FUNCTIONS = _table("function", {"dict": maps.dict_, "range": _range})

_METHODS: list[tuple[tuple[type, ...], dict[str, Function]]] = [
    ((str,), _table("method", {**texts.METHODS, "format": _braces})),
    ((list, tuple, LazyList), _table("method", _LIST_METHODS)),
    ((dict,), _table("method", _MAP_METHODS)),
]

METHOD_NAMES = frozenset(name for _, methods in _METHODS for name in methods)
"""The names of all methods, whatever they are called on."""


def methods_of(value: object) -> dict[str, Function]:
    """The methods that a value has."""
    for kinds_, methods in _METHODS:
        if isinstance(value, kinds_):
            return methods
    return {}
