"""Waits: the questions and signals that runs wait for, and what ends them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

import msgspec

from fanwise.engine.answers import answer_question, send_signal
from fanwise.errors import (
    NotAskedError,
    ParameterError,
    RunNotFoundError,
    RunOverError,
    UsageError,
    WaitNotFoundError,
    WaitSettledError,
)
from fanwise.model import GivenAnswer, Role
from fanwise.reports.objects import iso_time, wait_object
from fanwise.reports.waits import answered
from fanwise.server.finding import run_of
from fanwise.server.project_views import AnsweredView, SignalledView, WaitList
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.values import freeze
from fanwise.wiring import load_recorded

_MOST_WAITS: Final = 1_000


class WaitsQuery(Fields, frozen=True, kw_only=True):
    """The number of waits that are wanted."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=_MOST_WAITS)] = 100


class AnswerBody(Fields, frozen=True, kw_only=True):
    """An answer to a question: one of its options, and its fields by name.

    `texts` are fields that are read by their types, as those of a command line are. `by` is
    the one who answers, if it isn't the one who has the token.
    """

    path: str
    choice: str | None = None
    fields: Mapping[str, object] = {}
    texts: Mapping[str, str] = {}
    by: str | None = None


class SignalBody(Fields, frozen=True, kw_only=True):
    """A signal: its name, the key that a wait may ask for, and data for the task that waits.

    `by` is the sender, if it isn't the one who has the token.
    """

    name: str
    key: str | None = None
    payload: object = None
    by: str | None = None


def list_waits(call: Call) -> Answer:
    """List the questions and signals that runs wait for, the oldest first."""
    found = call.parts.store.waits_open(limit=_MOST_WAITS)
    seen = [each for each in found if call.who.sees(each.workflow)]
    shown = [wait_object(each) for each in seen[: call.query(WaitsQuery).limit]]
    return json_answer({"waits": shown})


def answer(call: Call) -> Answer:
    """Answer a question of a run. The first answer counts, a later one is refused.

    An answer that comes before its question is kept for it.
    """
    body, run = call.body(AnswerBody), run_of(call)
    given = GivenAnswer(
        choice=body.choice,
        by=body.by or call.who.name,
        via="api",
        fields=freeze(body.fields, where="fields"),
        texts=body.texts,
        identity=call.who.name,
    )
    plan_of = partial(load_recorded, settings=call.parts.settings, import_packs=False)
    wait = answer_question(call.parts.store, run, body.path, given, plan_of=plan_of)
    done = answered(wait, body.path, given.by)
    return json_answer(
        {
            "run_id": run.id,
            "path": done.path,
            "by": done.by,
            "at": iso_time(done.at),
            "answer": done.given,
        }
    )


def signal(call: Call) -> Answer:
    """Send a signal to a run: it ends the first wait that it fits, or is kept for one to come."""
    body, run = call.body(SignalBody), run_of(call)
    payload = freeze(body.payload, where="payload")
    wait = send_signal(
        call.parts.store, run, body.name, body.key, payload, by=body.by or call.who.name
    )
    return json_answer({"run_id": run.id, "path": None if wait is None else wait.path})


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/waits",
        handler=list_waits,
        role=Role.READ,
        query=WaitsQuery,
        answer=WaitList,
    ),
    Route(
        method="POST",
        path="/api/v1/runs/{run_id}/answers",
        handler=answer,
        role=Role.RUN,
        body=AnswerBody,
        answer=AnsweredView,
        errors=(
            RunNotFoundError,
            RunOverError,
            WaitNotFoundError,
            WaitSettledError,
            NotAskedError,
            ParameterError,
        ),
        audit="answer",
    ),
    Route(
        method="POST",
        path="/api/v1/runs/{run_id}/signals",
        handler=signal,
        role=Role.RUN,
        body=SignalBody,
        answer=SignalledView,
        errors=(RunNotFoundError, RunOverError, UsageError),
        audit="signal",
    ),
)
