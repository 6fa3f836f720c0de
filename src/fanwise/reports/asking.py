"""Questions and their answers as bytes, by the types that each question is written with. Pure.

Both sides are of one version of fanwise: a form that a question takes or gives has no other one
beside it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, NamedTuple, TypeVar, cast, get_type_hints

import msgspec

from fanwise.errors import UsageError
from fanwise.reports.questions import QUESTIONS
from fanwise.reports.sight import Sight

T = TypeVar("T")
_SIGHT: Final = "sight"


class Form(NamedTuple):
    """The form of a question: a struct of its arguments, and the type of its answer."""

    signature: inspect.Signature
    takes: type[msgspec.Struct]
    gives: type


@cache
def form_of(question: Callable[..., object]) -> Form:
    """Return the form of a question."""
    hints = get_type_hints(question, include_extras=True)
    gives = hints.pop("return")
    signature = inspect.signature(question)
    fields = [
        (name, hints[name], msgspec.field() if each.default is each.empty else each.default)
        for name, each in signature.parameters.items()
        if name != _SIGHT
    ]
    takes = msgspec.defstruct(
        question.__name__, fields, frozen=True, kw_only=True, forbid_unknown_fields=True
    )
    return Form(signature, takes, gives)


def written(question: Callable[..., object], *args: object, **kwargs: object) -> bytes:
    """Return the arguments of a question as JSON text."""
    given = dict(form_of(question).signature.bind(None, *args, **kwargs).arguments)
    del given[_SIGHT]
    return msgspec.json.encode(given)


def answered(name: str, given: str, sight: Sight) -> bytes | None:
    """Answer a question by its name and its written arguments; None if there is no such question.

    Raises `UsageError` for arguments that don't fit, and what the question raises.
    """
    question = QUESTIONS.get(name)
    if question is None:
        return None
    try:
        arguments = msgspec.json.decode(given, type=form_of(question).takes)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"the arguments of the question {name} are wrong: {error}.") from None
    values: Mapping[str, object] = {
        each: getattr(arguments, each) for each in arguments.__struct_fields__
    }
    return msgspec.msgpack.encode(question(sight, **values))


def read_answer(question: Callable[..., T], answer: bytes) -> T:
    """Return an answer to a question. Raises `msgspec.DecodeError` for one of another form."""
    return cast("T", msgspec.msgpack.decode(answer, type=form_of(question).gives))
