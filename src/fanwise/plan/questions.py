"""Questions of tasks: the form that a question is recorded in, and the answers that fit it.

The fields of an answer are declared as the parameters of a workflow are, and are checked in the
same way, when the question is asked and when it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from fanwise.definition import ParameterDefinition, did_you_mean, load
from fanwise.errors import DefinitionError, InputError, ParameterError
from fanwise.plan.parameters import bind_parameters, read_parameter
from fanwise.values import FrozenDict, Json, encode, freeze

REJECT: Final = "reject"
"""The option that `approve` and `reject` of the command line take, and that can fail a task."""

_TO_GIVE: Final = "The answer has to give it."
_TASKS: Final = [{"name": "ask", "action": "core.ask"}]


class Question(msgspec.Struct, frozen=True):
    """A question as it is recorded. `fields` are those of its answer, as the workflow has them.

    `who` names the people who are asked, or nobody in particular; who has started the run isn't
    asked with `not_starter`. `default` is the answer at the deadline, `{choice, answer}`, or None.
    With `reject_fails` the option `reject` fails the task.
    """

    prompt: str
    options: Sequence[str]
    fields: Mapping[str, object] = {}
    who: Sequence[str] = ()
    default: Mapping[str, object] | None = None
    not_starter: bool = False
    reject_fails: bool = False

    def asks(self, name: str, starter: str) -> bool:
        """Say whether a person of this name is asked, in a run that `starter` has started."""
        return self.may_answer(name, starter) and (not self.who or name in self.who)

    def may_answer(self, name: str, starter: str) -> bool:
        """Say whether a person of this name isn't ruled out as the one who has started the run."""
        return not self.not_starter or name != starter

    def encoded(self) -> bytes:
        """The question as JSON text."""
        return encode(freeze(msgspec.to_builtins(self), where="question"))


def new_question(
    prompt: str = "",
    *,
    options: Sequence[str] | None = None,
    answer: Mapping[str, object] | None = None,
    who: str | Sequence[str] | None = None,
    not_starter: bool = False,
    default: Mapping[str, object] | None = None,
    reject: str | None = None,
) -> Question:
    """Return the question that is asked with these inputs of `core.ask`."""
    return Question(
        prompt=prompt,
        options=["approve", REJECT] if options is None else options,
        fields=answer or {},
        who=[who] if isinstance(who, str) else who or [],
        default=default,
        not_starter=not_starter,
        reject_fails=reject is not None,
    )


class _Form(msgspec.Struct, frozen=True):
    """The fields of an answer, for messages that begin with `file`. Implements `Declares`."""

    file: str
    parameters: Mapping[str, ParameterDefinition]


def read_question(form: bytes) -> Question:
    """The question that was recorded as `form`."""
    return msgspec.json.decode(form, type=Question)


def declared_fields(fields: Mapping[str, object]) -> Mapping[str, ParameterDefinition]:
    """The fields that an answer has, as they are declared. Raises `InputError`."""
    return _declared(encode(freeze({"parameters": fields, "tasks": _TASKS}, where="answer")))


@lru_cache(maxsize=64)
def _declared(workflow: bytes) -> Mapping[str, ParameterDefinition]:
    try:
        found = load(workflow.decode(), file="").parameters
    except DefinitionError as error:
        first = error.problems[0]
        message = first.message.replace("parameter", "field", 1)
        raise InputError(f"{message} {first.hint}".rstrip()) from None
    for name, field in found.items():
        if field.secret:
            raise InputError(f'field "{name}" can\'t be secret: an answer is recorded.')
    return found


def checked_question(question: Question) -> Question:
    """The question with the whole of its default answer.

    Raises `InputError` if it can't be answered, or its default is no answer.
    """
    if not question.options or len(set(question.options)) < len(question.options):
        raise InputError('input "options" of core.ask takes one text or more, each of them once.')
    if question.reject_fails and REJECT not in question.options:
        raise InputError(f'input "reject" of core.ask needs the option "{REJECT}".')
    if question.default is None:
        return question
    given = dict(question.default)
    choice, answer = given.pop("choice", None), given.pop("answer", {})
    if given or not isinstance(answer, Mapping):
        raise InputError('input "default" of core.ask takes {choice: ..., answer: {...}}.')
    try:
        default = check_answer(question, choice, answer, place='input "default" of core.ask')
    except ParameterError as error:
        raise InputError(str(error)) from None
    return replace(question, default=default)


def check_answer(
    question: Question, choice: object, given: Mapping[str, object], *, place: str
) -> FrozenDict:
    """The answer as it is recorded, `{choice, answer}`, with the fields' defaults.

    A question with one option needs no choice. Raises `ParameterError` with a line for each fault,
    which begins with `place`.
    """
    if choice is None and len(question.options) == 1:
        choice = question.options[0]
    if choice not in question.options:
        listed = ", ".join(question.options)
        hint = did_you_mean(choice, question.options) if isinstance(choice, str) else ""
        what = "takes one of its options" if isinstance(choice, str) else "needs a choice"
        raise ParameterError(f"{place}  the question {what}: {listed}. {hint}".rstrip())
    form = _Form(place, declared_fields(question.fields))
    return FrozenDict(choice=choice, answer=bind_parameters(form, given, remedy=_TO_GIVE))


def read_fields(question: Question, texts: Mapping[str, str], *, place: str) -> Mapping[str, Json]:
    """The values that texts stand for, of fields of an answer to a question.

    Raises `ParameterError`, with a line for each fault.
    """
    given, problems = dict[str, Json](), []
    for name, text in texts.items():
        try:
            given[name] = read_field(question, name, text, place=place)
        except ParameterError as error:
            problems.append(str(error))
    if problems:
        raise ParameterError("\n".join(problems))
    return given


def read_field(question: Question, name: str, text: str, *, place: str) -> Json:
    """The value of a field of an answer that `text` stands for. Raises `ParameterError`."""
    value: Json = read_parameter(_Form(place, declared_fields(question.fields)), name, text)
    return value
