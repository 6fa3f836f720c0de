"""The catalog of a rehearsal: some actions have stand-ins, and all are watched.

`Stage.around` is a catalog around a catalog. A stand-in takes the fields of the action that it
replaces, so its input is checked as that action's would be; an action that doesn't exist may have
one, too, and then takes anything. All calls are made on the event loop's thread, in whose order
they are noted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

from msgspec.structs import replace

from fanwise.catalog import WAITING_ACTIONS, ActionContext, ActionSpec, Parked, Runs
from fanwise.definition import did_you_mean
from fanwise.errors import UsageError
from fanwise.plan import Plan
from fanwise.ports import Catalog
from fanwise.testing.jumping_loop import JumpingLoop
from fanwise.testing.outcome import Attempt
from fanwise.testing.stand_ins import choose, perform
from fanwise.testing.waiting import Waiting
from fanwise.values import Json, thaw

SELF_CONTAINED: Final = frozenset({"core.echo", "core.fail", "core.noop", "core.sleep"})
"""Actions that touch nothing outside of their run; what they wait for is its time, which jumps."""

_CONTEXT: Final = "(context)"  # which no parameter can be called


class Stage:
    """The stand-ins of one rehearsal, and the attempts that were made in it."""

    def __init__(self, stand_ins: Mapping[str, Any], waiting: Waiting) -> None:
        self._stand_ins = stand_ins
        self._waiting = waiting
        self._calls: Counter[tuple[str, str, int | None]] = Counter()
        self._named: dict[str, None] = {}  # by workflows, in their order
        self.attempts: list[Attempt] = []
        self.fault: UsageError | None = None
        """The fault of a stand-in that was called in vain."""

    def around(self, catalog: Catalog) -> Catalog:
        """A catalog in which stand-ins take the place of what they replace."""
        return _StagedCatalog(self, catalog)

    def find(self, name: str, catalog: Catalog) -> ActionSpec | None:
        """The action that a workflow calls by a name in this rehearsal."""
        self._named[name] = None
        if name in self._stand_ins:
            spec = None
            with suppress(UsageError):  # a workflow's file that isn't there
                spec = catalog.get(name)
            return self._stand_in(name, spec)
        spec = catalog.get(name)
        return spec if spec is None or spec.workflow is not None else self._watched(spec)

    def names(self, catalog: Catalog) -> Sequence[str]:
        """All names, sorted."""
        return sorted({*catalog.names(), *self._stand_ins})

    def check(self, plan: Plan, *, only_replaced: bool) -> None:
        """Raise `UsageError` if a stand-in isn't called, or must be and isn't there."""
        called = self.actions(plan)
        for name in self._stand_ins:
            if name not in called:
                raise UsageError(
                    f'the workflow calls no action "{name}", and a stand-in is given for it.',
                    hint=did_you_mean(name, self._named) or f"It calls: {', '.join(self._named)}.",
                )
        self._waiting.check(plan)
        real = set(called) - self._stand_ins.keys() - WAITING_ACTIONS
        if only_replaced and (missing := sorted(real - SELF_CONTAINED)):
            raise UsageError(
                f"these actions have no stand-in: {', '.join(missing)}.",
                hint="Give each one in `actions`, or leave only_replaced away to run them.",
            )

    def actions(self, plan: Plan) -> list[str]:
        """The names of all actions that a workflow and those that it calls can call, sorted."""
        tasks = (task for each in plan.family() for task in each.tasks)
        return sorted({task.spec.name for task in tasks if task.spec.workflow is None})

    def _stand_in(self, name: str, spec: ActionSpec | None) -> ActionSpec:
        result = self._stand_ins[name]

        async def call(**given: Any) -> Any:
            context: ActionContext = given.pop(_CONTEXT)
            before = self._note(name, given, context)
            try:
                chosen = choose(result, context, before)
            except UsageError as error:
                self.fault = self.fault or UsageError(
                    f'the stand-in of "{name}" has no result: {error.message}', hint=error.hint
                )
                raise
            return await perform(chosen, given, context)

        return ActionSpec(
            name=name,
            function=call,
            runs=Runs.ASYNC,
            fields={} if spec is None else spec.fields,
            open_input=spec is None or spec.open_input,
            rules=() if spec is None else spec.rules,
            context_field=_CONTEXT,
        )

    def _watched(self, spec: ActionSpec) -> ActionSpec:
        """The action itself, of which each call is noted."""

        async def call(**given: Any) -> Any:
            context: ActionContext = given.pop(_CONTEXT)
            before = self._note(spec.name, given, context)
            if spec.name in WAITING_ACTIONS:
                return await self._wait(spec, given, context, before)
            if spec.context_field is not None:
                given[spec.context_field] = context
            if spec.limits_field is not None:
                given[spec.limits_field] = context.limits
            if spec.name in SELF_CONTAINED:
                return await spec.function(**given)
            with cast("JumpingLoop", asyncio.get_running_loop()).acting():
                if spec.runs is Runs.ASYNC:
                    return await spec.function(**given)
                return await asyncio.to_thread(spec.function, **given)

        return replace(
            spec, function=call, runs=Runs.ASYNC, context_field=_CONTEXT, limits_field=None
        )

    async def _wait(
        self, spec: ActionSpec, given: Mapping[str, object], context: ActionContext, before: int
    ) -> Json:
        """The result of a wait, from what the rehearsal was given."""
        try:
            await spec.function(**given)
        except Parked as parked:
            try:
                return await self._waiting.settle(parked.request, context, before)
            except UsageError as error:
                self.fault = self.fault or error
                raise
        raise AssertionError("an action that waits asks for a wait")

    def _note(self, action: str, given: Mapping[str, Any], context: ActionContext) -> int:
        """Note an attempt; return how often the same task and item called the action before."""
        place = action, context.task, context.index
        before = self._calls[place]
        self._calls[place] += 1
        self.attempts.append(
            Attempt(
                action=action,
                task=context.task,
                index=context.index,
                number=context.attempt,
                input=thaw(given),
                after_s=asyncio.get_running_loop().time(),
            )
        )
        return before


class _StagedCatalog:
    """One file's catalog, with a stage around it; implements `ports.Catalog`."""

    def __init__(self, stage: Stage, catalog: Catalog) -> None:
        self._stage = stage
        self._catalog = catalog

    def get(self, name: str) -> ActionSpec | None:
        """The action with this name or path as the rehearsal has it, or None."""
        return self._stage.find(name, self._catalog)

    def names(self) -> Sequence[str]:
        """All names, sorted."""
        return self._stage.names(self._catalog)
