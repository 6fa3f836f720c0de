"""The waits of all runs: questions with forms for their answers, and what else runs wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from fanwise.definition import ParameterDefinition
from fanwise.errors import FanwiseError
from fanwise.model import OpenWait
from fanwise.plan.questions import Question, declared_fields, read_question
from fanwise.reports.waits import is_question, what_for
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.fields import Field, fields_of
from fanwise.server.page.views.finding import open_waits
from fanwise.server.routes import Call

_MOST: Final = 50


class Asked(NamedTuple):
    """An open wait with its question, and the fields of an answer; a signal has none."""

    found: OpenWait
    what: str
    question: Question | None
    fields: Sequence[Field]


def view(call: Call) -> Shown:
    """Show the open waits, the oldest first."""
    found = open_waits(call, limit=_MOST + 1)
    values = {"asked": [asked(each) for each in found[:_MOST]], "has_more": len(found) > _MOST}
    return Shown(title="Waiting", values=values, live="")


def asked(found: OpenWait) -> Asked:
    """Return a wait as it is shown."""
    what = what_for(found.wait)
    if not is_question(found.wait):
        return Asked(found, what, None, ())
    question = read_question(found.wait.form)
    return Asked(found, what, question, fields_of(_declared(question)))


def _declared(question: Question) -> Mapping[str, ParameterDefinition]:
    try:
        return declared_fields(question.fields)
    except FanwiseError:  # recorded by another version; the command line tells what is wrong
        return {}


PAGE: Final = Page(path="/waiting", room="waiting", template="waiting.html", view=view)
