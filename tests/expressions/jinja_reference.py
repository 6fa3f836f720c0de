"""Jinja2 itself with fanwise's lookup rule, to compare fanwise's evaluator with."""

import json
import warnings
from collections.abc import Iterable, Mapping

import jinja2
from jinja2.runtime import LoopContext

from fanwise.context import ItemContext
from fanwise.errors import AttemptError
from fanwise.expressions import compile_template
from fanwise.expressions.functions import methods_of
from fanwise.model import Limits, TaskResult

LIMITS = Limits(template_steps=20_000, template_bytes=1_000_000)


class Reference(jinja2.Environment):
    """`a.b` is a key, then a method that fanwise lists; `a['b']` is a key, or part of a group.

    What is missing has parts that are missing as well, as with Jinja2's `ChainableUndefined`.
    """

    def getattr(self, obj, attribute):
        if isinstance(obj, jinja2.Undefined):
            return obj
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, LoopContext) or attribute in methods_of(obj):
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj, argument):
        if isinstance(obj, jinja2.Undefined):
            return obj
        if hasattr(obj, "grouper") and argument in ("grouper", "list"):
            return getattr(obj, argument)
        try:
            return obj[argument]
        except (AttributeError, TypeError, LookupError):
            return self.undefined(obj=obj, name=argument)


# The optimiser fails on code that is never run.
_environment = Reference(
    undefined=jinja2.StrictUndefined, keep_trailing_newline=True, optimized=False
)
_environment.filters["tojson"] = lambda value, indent=None: json.dumps(
    value, indent=indent, sort_keys=True
)


def variables(context: ItemContext, outcome: TaskResult | None) -> dict[str, object]:
    """What Jinja2 is given for a context and an outcome."""
    shared = context.shared
    given = {
        "parameters": shared.parameters,
        "vars": shared.variables,
        "run": shared.run,
        "trigger": shared.trigger,
        "secrets": shared.secrets,
        "item": context.item,
        "index": context.index,
        "task": {
            name: {
                "output": result.output,
                "status": str(result.status),
                "error": result.error and result.error.as_value(),
                "items": result.items and result.items.as_value(),
            }
            for name, result in shared.task_results.items()
        },
    }
    if outcome is not None:
        given |= {
            "result": lambda: outcome.output,
            "error": lambda: outcome.error and outcome.error.as_value(),
            "succeeded": lambda: outcome.status == "succeeded",
            "failed": lambda: outcome.status == "failed",
            "skipped": lambda: outcome.status == "skipped",
            "timed_out": lambda: outcome.status == "failed" and outcome.error.type == "Timeout",
        }
    return given


def expected(text: str, is_expression: bool, given: Mapping[str, object]) -> object:
    """What Jinja2 gives. Raises whatever Jinja2 raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        if not is_expression:
            return _environment.from_string(text).render(given)
        inner = text.strip()[2:-2].strip("-+")
        value = _environment.compile_expression(inner, undefined_to_none=False)(**given)
        return as_json(value)


def as_json(value: object) -> object:
    """A value in which all that can be iterated over is a list."""
    if isinstance(value, Mapping):
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [as_json(part) for part in value]
    return value


def agree(text: str, context: ItemContext, outcome: TaskResult | None = None) -> object:
    """Assert that Jinja2 gives what fanwise gives, and return that; `...` if fanwise refuses it."""
    template = compile_template(text, limits=LIMITS)
    try:
        given = template.evaluate(context, outcome)
    except AttemptError:
        return ...
    wanted = expected(text, template.is_expression, variables(context, outcome))
    # Texts tell 1 from 1.0 and from true, and compare NaN with itself.
    assert repr(as_json(given)) == repr(wanted), text
    return given
