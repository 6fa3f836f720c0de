"""Makes the runs of fires: of a trigger's plan, with the parameters that the trigger gives."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from fanwise.context import WorkflowContext
from fanwise.engine.run_factory import RunFactory, checked_submission
from fanwise.engine.run_rules import key_text
from fanwise.model import NamedLimit, RepeatKey, RunRecord, Submission
from fanwise.plan import Plan
from fanwise.plan.project_triggers import Owned
from fanwise.values import FrozenDict, Json

_MOST_NAME: Final = 60
_strange = re.compile(r"[^A-Za-z0-9_-]+").sub


class TriggeredRuns:
    """Makes the runs of a project's fires. Relative paths in their parameters start at `folder`.

    `limits` are those that tasks of the project may name; they may be others later. No run is made
    if `most_waiting` of its workflow wait already.
    """

    def __init__(
        self,
        factory: RunFactory,
        folder: str,
        limits: Sequence[NamedLimit],
        most_waiting: int | None = None,
    ) -> None:
        self._factory = factory
        self._most_waiting = most_waiting
        self.folder = folder
        self.limits = tuple(limits)

    def started(
        self,
        plan: Plan,
        parameters: Mapping[str, Json],
        run_id: str | None,
        tags: Collection[str],
        by: str,
    ) -> RunRecord:
        """Return a run that someone starts by hand. Raises `ParameterError` and `UsageError`."""
        record = self._placed(self._factory.submitted(plan, parameters, run_id, tags))
        return replace(record, origin=replace(record.origin, by=by))

    def make(self, owned: Owned, facts: FrozenDict, at: float) -> tuple[RunRecord, Submission]:
        """Return the run of a fire, named after its time, and its place in the queue.

        Raises `FanwiseError` if the trigger's templates fail or give what doesn't fit.
        """
        plan, trigger = owned.plan, owned.trigger
        given = trigger.parameters_of(facts)
        record = self._factory.submitted(
            plan, given, _run_id(plan.name, at), trigger.definition.tags, facts
        )
        record = self._placed(record)
        origin = record.origin
        dedupe = trigger.definition.dedupe
        if dedupe is not None and trigger.dedupe_key is not None:
            key = key_text(trigger.dedupe_key, "dedupe", WorkflowContext(trigger=facts))
            scope = f"{plan.name}/{trigger.name}"
            origin = replace(origin, repeat=RepeatKey(scope, key, dedupe.for_))
        priority = trigger.definition.priority
        place = Submission(
            priority=origin.priority if priority is None else priority,
            most_waiting=self._most_waiting,
        )
        return replace(record, origin=origin), checked_submission(place)

    def _placed(self, record: RunRecord) -> RunRecord:
        """A run of the project; its actions are not known here, where no author's code is run."""
        origin = replace(record.origin, folder=self.folder, named_limits=self.limits, actions={})
        return replace(record, origin=origin)


def _run_id(workflow: str, at: float) -> str:
    """An id such as `report-20261129-010000`, in UTC."""
    name = _strange("-", workflow)[:_MOST_NAME].strip("-") or "run"
    return f"{name}-{datetime.fromtimestamp(at, UTC):%Y%m%d-%H%M%S}"
