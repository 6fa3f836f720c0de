"""A visit's call as data for another process, and the call that such data gives there.

Inputs that all items share are rendered by the process that drives the run. Inputs that differ by
item travel as their text, with a snapshot of the values that they name. So do shared inputs that
name a secret: a rendered one would hold it. Nothing here sends anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from fanwise.catalog import ActionSpec
from fanwise.engine.attempt import RenderedInput, Surroundings, Visit, VisitCall
from fanwise.errors import AttemptError
from fanwise.plan import PlannedInput
from fanwise.plan.snapshot import (
    Snapshot,
    from_text,
    holds_secret,
    restore,
    secret_values,
    take_snapshot,
    to_text,
)
from fanwise.ports import CallSpec, InputText, PortableCall
from fanwise.values import decode, encode


def make_portable(call: VisitCall) -> PortableCall:
    """The call as data. Raises `AttemptError` if it has to stay in this process."""
    action = call.action.reference
    if action is None:
        kind = "a workflow" if call.action.workflow is not None else "a function of this process"
        raise AttemptError(
            f'"{call.action.name}" is {kind}, which no other process can call.',
            hint="Put the action into a pack's folder, or run it in this process.",
        )
    traveling, shared = _divided(call)
    snapshot = _snapshot(call, traveling)
    around, visit = call.around, call.visit
    spec = CallSpec(
        action=action,
        run_id=visit.run_id,
        run_no=visit.run_no,
        visit_no=visit.visit_no,
        path=visit.path,
        visit=visit.number,
        inputs=tuple(to_text(entry.name, entry.value) for entry in traveling),
        shared=tuple(
            InputText(
                entry.name,
                encode(call.render(entry)(call.context, None), where=entry.name),
                (entry.value.place,),
            )
            for entry in shared
        ),
        snapshot=snapshot.digest,
        secrets=snapshot.secrets,
        timeout_s=call.timeout_s,
        limits=around.limits,
        workflow_folder=str(around.workflow_folder),
        caller_folder=str(around.caller_folder),
        given=tuple(sorted(around.given)),
    )
    return PortableCall(spec, snapshot.data)


def secrets_of(call: VisitCall) -> bytes:
    """The values at the secret paths of the portable call, as JSON text for `restore_call`."""
    traveling, _ = _divided(call)
    return secret_values(call.context, _snapshot(call, traveling).secrets)


def restore_call(
    portable: PortableCall, secrets: bytes, action: ActionSpec, around: Surroundings
) -> VisitCall:
    """The call in another process, where `action` is what its reference has found.

    `secrets` come from `secrets_of`. Raises `AttemptError`, and `TemplateSyntaxError` where that
    process knows less of the language.
    """
    spec = portable.spec
    visit = Visit(spec.run_id, spec.run_no, spec.visit_no, spec.path, spec.visit)
    return VisitCall(
        action,
        [PlannedInput(text.name, from_text(text, spec.limits)) for text in spec.inputs],
        visit,
        restore(portable.snapshot, secrets),
        around,
        timeout_s=spec.timeout_s,
        rendered=[
            RenderedInput(text.name, decode(text.raw), text.places[0]) for text in spec.shared
        ],
    )


def _divided(call: VisitCall) -> tuple[Sequence[PlannedInput], Sequence[PlannedInput]]:
    """The inputs that are rendered by a worker, and those that are rendered here."""
    traveling: list[PlannedInput] = []
    shared: list[PlannedInput] = []
    for entry in call.inputs:
        travels = entry.value.differs_by_item or holds_secret(
            entry.value, call.context, lambda value: _is_secret(call, value)
        )
        (traveling if travels else shared).append(entry)
    return traveling, shared


def _snapshot(call: VisitCall, traveling: Sequence[PlannedInput]) -> Snapshot:
    values = [entry.value for entry in traveling]
    return take_snapshot(values, call.context, is_secret=lambda value: _is_secret(call, value))


def _is_secret(call: VisitCall, value: object) -> bool:
    """Whether a value holds the text of a secret, in any form that is masked."""
    masker = call.around.masker
    return masker.is_active and not masker.holds_none(encode(value))
