"""Workflows of the project, and runs that are started of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

from fanwise.definition import did_you_mean
from fanwise.engine.run_factory import checked_submission
from fanwise.errors import (
    ParameterError,
    QueueFullError,
    RunExistsError,
    RunRepeatedError,
    UsageError,
)
from fanwise.model import DEFAULT_QUEUE, Role, RunRecord, Submission
from fanwise.plan import Plan, read_given
from fanwise.server.buckets import STARTS
from fanwise.server.problems import Refusal
from fanwise.server.project_views import CheckedRun, StartedRun, WorkflowDetails, WorkflowList
from fanwise.server.routes import Answer, Call, Fields, Route, json_answer
from fanwise.server.tracing import traced
from fanwise.values import Json, JsonObject, decode, freeze, thaw

KEY_HEADER: Final = "Idempotency-Key"
_MOST_KEY: Final = 100
_MOST_ITEMS: Final = 10**9
_TRIES: Final = 100


class StartBody(Fields, frozen=True, kw_only=True):
    """A run to be started: its workflow, by its name in the project, and parameters.

    `texts` are parameters that are read by their types, as those of a command line are. With `like`
    it has the parameters of that run, but for those that are given and secret ones. Runs with a
    higher `priority` are taken first; without one it is that of the workflow. With `items` it runs
    just the first ones of each fan-out, to try a workflow.
    """

    workflow: Annotated[str, msgspec.Meta(max_length=200)]
    parameters: Mapping[str, object] = {}
    texts: Mapping[str, str] = {}
    tags: tuple[str, ...] = ()
    queue: str = DEFAULT_QUEUE
    priority: int | None = None
    run_id: str | None = None
    like: str | None = None
    items: Annotated[int, msgspec.Meta(ge=1, le=_MOST_ITEMS)] | None = None


def list_workflows(call: Call) -> Answer:
    """List the workflows of the project, with their parameters."""
    seen = [plan for plan in call.parts.project.plans if call.who.sees(plan.name)]
    return json_answer({"workflows": [_workflow(call, each) for each in seen]})


def get_workflow(call: Call) -> Answer:
    """Tell of a workflow, with its text."""
    plan = plan_of(call, call.names["workflow"])
    return json_answer(_workflow(call, plan) | {"text": plan.text})


def check_start(call: Call) -> Answer:
    """Check whether a run could be started so, and tell its parameters; nothing is made."""
    run = _made(call, call.body(StartBody))
    return json_answer({"workflow": run.workflow, "parameters": decode(run.parameters)})


def start_run(call: Call) -> Answer:
    """Start a run: it waits for an engine, which takes it in a moment.

    With a header `Idempotency-Key` the same request makes it once, however often it is sent. The
    run's trace is that which a header `traceparent` names, and its span a child of the one there.
    """
    body, store = call.body(StartBody), call.parts.store
    once = _once(call)
    run = _made(call, body)
    place = Submission(
        body.queue,
        run.origin.priority if body.priority is None else body.priority,
        once,
        most_waiting=call.parts.settings.limits.queued,
    )
    checked_submission(place)
    for _ in range(_TRIES):
        try:
            run_id, is_new = store.submit(run, place)
            break
        except RunRepeatedError as repeated:
            run_id, is_new = repeated.run_id, False
            break
        except RunExistsError:
            if body.run_id is not None:
                raise
        run = _made(call, body)  # of hundreds of ids of one second two may be the same
    else:
        raise Refusal(503, "busy", "Too many runs are being started in this second.")
    made = store.run(run_id)
    if once is not None and not is_new:
        _require_same(made, run)
    skipped = made.error.message if is_new and made is not None and made.error else None
    headers = {"Location": f"{call.parts.site.prefix}/api/v1/runs/{run_id}"}
    if once is not None and not is_new:
        headers["Idempotent-Replayed"] = "true"
    shown = {"run_id": run_id, "is_new": is_new, "skipped": skipped}
    return json_answer(shown, status=202, headers=headers)


def plan_of(call: Call, name: str) -> Plan:
    """Return the workflow of the project with this name. Raises `Refusal`."""
    seen = {plan.name: plan for plan in call.parts.project.plans if call.who.sees(plan.name)}
    if name in seen:
        return seen[name]
    raise Refusal(
        404,
        "unknown-workflow",
        f'The project that is served has no workflow "{name}".',
        hint=did_you_mean(name, seen) or "List them: /api/v1/workflows",
    )


def _made(call: Call, body: StartBody) -> RunRecord:
    """The run that is asked for, not recorded. Raises `ParameterError` and `UsageError`."""
    plan = plan_of(call, body.workflow)
    given: dict[str, Json] = {**_like(call, plan, body.like), **_frozen(body.parameters)}
    if body.texts:
        given = read_given(plan, given, body.texts)
    run = call.parts.make_runs.started(plan, given, body.run_id, body.tags, call.who.name)
    if body.items is not None:
        run = replace(run, origin=replace(run.origin, most_items=body.items))
    return traced(run, call.request.headers)


def _frozen(parameters: Mapping[str, object]) -> Mapping[str, Json]:
    return {name: freeze(value, where=name) for name, value in parameters.items()}


def _like(call: Call, plan: Plan, run_id: str | None) -> Mapping[str, Json]:
    """The parameters of another run that this workflow has, but for secret ones."""
    if run_id is None:
        return {}
    run = call.parts.store.run(run_id)
    if run is None or not call.who.sees(run.workflow):
        raise Refusal(404, "not-found", "There is no such run to take parameters from.")
    known = decode(run.parameters)
    return {
        name: known[name]
        for name in run.origin.given
        if name in known and name in plan.parameters and not plan.parameters[name].secret
    }


def _once(call: Call) -> str | None:
    """The key under which a request makes a run once; those of others are apart."""
    key = call.request.headers.get(KEY_HEADER)
    if key is None:
        return None
    if not (0 < len(key) <= _MOST_KEY and key.isprintable()):
        raise Refusal(400, "bad-request", f"{KEY_HEADER} has 1 to {_MOST_KEY} characters.")
    return f"api:{call.who.token_id}:{key}"


def _require_same(made: RunRecord | None, run: RunRecord) -> None:
    """Refuse a key that another request has used."""
    if made is None or _asked(made) != _asked(run):
        raise Refusal(
            422,
            "key-reused",
            f"Another request has used this {KEY_HEADER}.",
            hint="Make a new key for each run that is to be started.",
        )


def _asked(run: RunRecord) -> tuple[object, ...]:
    return run.workflow, run.parameters, run.tags, run.origin.most_items


def _workflow(call: Call, plan: Plan) -> JsonObject:
    triggers = [
        each.trigger.name for each in call.parts.project.triggers if each.plan.name == plan.name
    ]
    return {
        "name": plan.name,
        "description": plan.description,
        "file": plan.file,
        "parameters": {
            name: {
                "type": each.type,
                "required": each.required,
                "default": None if each.secret else each.default,
                "choices": None if each.choices is None else thaw(freeze(list(each.choices))),
                "minimum": each.minimum,
                "maximum": each.maximum,
                "pattern": each.pattern,
                "secret": each.secret,
                "description": each.description,
            }
            for name, each in plan.parameters.items()
        },
        "tasks": [task.name for task in plan.tasks],
        "triggers": triggers,
    }


_ERRORS: Final = (ParameterError, UsageError)

ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/workflows",
        handler=list_workflows,
        role=Role.READ,
        answer=WorkflowList,
    ),
    Route(
        method="GET",
        path="/api/v1/workflows/{workflow}",
        handler=get_workflow,
        role=Role.READ,
        answer=WorkflowDetails,
    ),
    Route(
        method="POST",
        path="/api/v1/runs/check",
        handler=check_start,
        role=Role.RUN,
        body=StartBody,
        answer=CheckedRun,
        errors=_ERRORS,
        refuses=(404,),
        audit="check-start",
        rate=STARTS,
    ),
    Route(
        method="POST",
        path="/api/v1/runs",
        handler=start_run,
        role=Role.RUN,
        body=StartBody,
        answer=StartedRun,
        status=202,
        errors=(*_ERRORS, RunExistsError, RunRepeatedError, QueueFullError),
        refuses=(404,),
        audit="start",
        rate=STARTS,
    ),
)
