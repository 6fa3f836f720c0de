"""The problems of a workflow's text, as `fanwise validate --no-import` finds them.

The text alone counts: no file that it names is read, and no pack is imported. Texts are checked one
after another, as several at once would leave other requests no thread, and hardly a turn.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from fanwise.definition import load
from fanwise.errors import DefinitionError
from fanwise.model import Role
from fanwise.plan import compile_plan
from fanwise.server.buckets import Rate
from fanwise.server.forms import read_bytes
from fanwise.server.problems import PlacedProblem, Refusal, placed
from fanwise.server.routes import JSON, MOST_BODY_BYTES, Answer, Call, Route, json_answer

YAML: Final = "application/yaml"
VALIDATIONS: Final = Rate("validations", 1.0, 10)  # a text of 1 MiB takes seconds
_TYPES: Final = (YAML, "text/yaml", JSON)
_NAME: Final = "workflow"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a workflow's text, which `is_good` without problems."""

    is_good: bool
    tasks: int
    parameters: int
    problems: tuple[PlacedProblem, ...]
    warnings: tuple[PlacedProblem, ...]


async def validate(call: Call) -> Answer:
    """Find everything that is wrong with the text of a workflow, and run nothing.

    The body is YAML or JSON. Actions aren't checked, nor the files that it names.
    """
    if call.request.content_type not in _TYPES:
        raise Refusal(415, "bad-type", "A workflow is YAML or JSON.", hint=f"Send it as {YAML}.")
    text = await read_bytes(call.request, MOST_BODY_BYTES)
    async with call.parts.validating:
        return await call.in_thread(partial(_answer, text=text))


def _answer(call: Call, text: bytes) -> Answer:
    return json_answer(_verdict(call, text))


def _verdict(call: Call, text: bytes) -> Verdict:
    limits, named_limits = call.parts.settings.limits, call.parts.make_runs.limits
    try:
        definition = load(text, file=_NAME, limits=limits)
        plan = compile_plan(definition, None, limits=limits, named_limits=named_limits)
    except DefinitionError as error:
        return Verdict(
            is_good=False, tasks=0, parameters=0, problems=placed(error.problems), warnings=()
        )
    return Verdict(
        is_good=True,
        tasks=len(plan.tasks),
        parameters=len(plan.parameters),
        problems=(),
        warnings=placed(plan.warnings),
    )


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/workflows/validate",
        handler=validate,
        role=Role.RUN,
        takes=_TYPES,
        answer=Verdict,
        refuses=(408, 413, 415),
        audit="validate",
        rate=VALIDATIONS,
    ),
)
