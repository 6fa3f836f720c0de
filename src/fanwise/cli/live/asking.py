"""Questions of a run, asked of the person at the terminal where it was started."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from fanwise.cli.text.output import say
from fanwise.definition import ParameterDefinition, did_you_mean
from fanwise.engine.answers import answer_question
from fanwise.errors import ParameterError, WaitSettledError
from fanwise.model import GivenAnswer, RunRecord, Wait
from fanwise.plan.questions import Question, declared_fields, read_field, read_question
from fanwise.ports import Waits
from fanwise.reports.plain import clean
from fanwise.reports.waits import is_asked, is_question
from fanwise.values import Json


def has_person() -> bool:
    """Say whether somebody is at the terminal, who can read a question and type an answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def ask_here(waits: Waits, record: RunRecord, person: str) -> bool:
    """Ask each open question of a run that is for this person, and record the answers.

    True if one of them has its answer. The end of the input (Ctrl-D) leaves the rest open.
    """
    is_answered = False
    for wait in [each.wait for each in waits.waits_open(run_no=record.run_no)]:
        if not is_question(wait) or not is_asked(wait, person, record.origin.starter):
            continue
        try:
            _ask(waits, record, wait, person)
        except EOFError:
            say("")
            break
        except WaitSettledError as error:  # somebody else was faster
            say(str(error))
        is_answered = True
    return is_answered


def _ask(waits: Waits, record: RunRecord, wait: Wait, person: str) -> None:
    """Ask one question until its answer fits. Raises `EOFError` and `WaitSettledError`."""
    question, place = read_question(wait.form), f"{record.id} {wait.path}"
    say(f"\n{clean(wait.path)}  {clean(question.prompt)}")
    while True:
        choice = _choice(question)
        try:
            given = GivenAnswer(
                choice=choice, by=person, via="terminal", fields=_fields(question, place)
            )
            answer_question(waits, record, wait.path, given)
        except ParameterError as error:
            say(str(error))
        else:
            return


def _choice(question: Question) -> str:
    if len(question.options) == 1:
        return question.options[0]
    options = clean(" or ".join(question.options))
    while (text := _typed(f"  {options}: ")) not in question.options:
        say(f"It takes one of its options. {did_you_mean(text, question.options)}".rstrip())
    return text


def _fields(question: Question, place: str) -> Mapping[str, Json]:
    """The fields that are given; an empty line leaves one out."""
    given = dict[str, Json]()
    for name, field in declared_fields(question.fields).items():
        while text := _typed(f"  {clean(name)}{_about(field)}: "):
            try:
                given[name] = read_field(question, name, text, place=place)
            except ParameterError as error:
                say(str(error))
            else:
                break
    return given


def _about(field: ParameterDefinition) -> str:
    """The field's type, and its default or that it is needed, in brackets."""
    default = None if field.default is None else f"default {field.default}"
    facts = [field.type, "required" if field.required else default]
    known = clean(", ".join(fact for fact in facts if fact))
    return f" ({known})" if known else ""


def _typed(prompt: str) -> str:
    """A line from the terminal. Raises `EOFError` at the end of the input."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()
