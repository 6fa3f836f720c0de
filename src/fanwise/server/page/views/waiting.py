"""The waits of all runs: questions with forms for their answers, and what else runs wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from fanwise.definition import ParameterDefinition
from fanwise.errors import FanwiseError
from fanwise.model import OpenWait, Status
from fanwise.plan.questions import Question, declared_fields, read_question
from fanwise.reports.waits import is_question, what_for
from fanwise.server.page.pages import Page, Shown
from fanwise.server.page.views.fields import Field, fields_of
from fanwise.server.page.views.finding import newest_runs, open_waits
from fanwise.server.routes import Call

_MOST: Final = 50
_MOST_WATCHED: Final = 100


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
    at_work = newest_runs(call, Status.RUNNING, limit=_MOST_WATCHED)  # they open the next ones
    run_nos = {each.run.run_no for each in at_work} | {each.wait.run_no for each in found}
    return Shown(title="Waiting", values=values, live="", run_nos=run_nos)


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
