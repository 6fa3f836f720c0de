"""A plan: a workflow with everything compiled, resolved and checked, ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from fanwise.catalog import ActionSpec
from fanwise.definition import ParameterDefinition
from fanwise.errors import Diagnostic, Place
from fanwise.graph import Graph
from fanwise.model import NamedLimit
from fanwise.plan.settings import PlannedSettings, Setting
from fanwise.plan.values import Value
from fanwise.source_kinds import SOURCE_KINDS

if TYPE_CHECKING:
    from fanwise.plan.triggers import PlannedTrigger


class PlannedInput(msgspec.Struct, frozen=True):
    """One input of a task. `reads_pages` says that it names the outputs of a task with items."""

    name: str
    value: Value
    reads_pages: bool = False


class PlannedItems(msgspec.Struct, frozen=True):
    """The source of a task's items.

    `kind` is `list` for a list or a template that gives one, `zip` for lists side by side, else the
    name of a stream's kind in `SOURCE_KINDS`. `parts` has the lists side by side by their names,
    else the list, path or number as "", and the options of a stream by their names.
    """

    kind: str
    parts: Mapping[str, Value]
    place: Place

    @property
    def is_path(self) -> bool:
        """True if the items are read from a file, or are files."""
        return self.kind in SOURCE_KINDS and SOURCE_KINDS[self.kind].is_path

    @property
    def has_records(self) -> bool:
        """True if the items are made from what one file holds."""
        return self.kind in SOURCE_KINDS and SOURCE_KINDS[self.kind].has_records


class PlannedTransition(msgspec.Struct, frozen=True):
    """One entry of a task's `next`: when it is taken and what it publishes.

    Where it leads is in the graph, but for `fails`: whether `fail` is among its targets; `message`
    is for the run's failure then. Without `when` it is taken if its task succeeded or was skipped.
    """

    when: Value | None = None
    publish: Mapping[str, Value] = {}
    fails: bool = False
    message: Value | None = None


class PlannedTask(msgspec.Struct, frozen=True):
    """One task. `settings` holds its keys that are neither input nor condition.

    `path` leads to its definition: `("tasks", 3)`, `("on-failure", 0)` or `("finally", 0)`.
    """

    number: int
    name: str
    path: tuple[str, int]
    place: Place
    spec: ActionSpec
    inputs: tuple[PlannedInput, ...]
    settings: PlannedSettings
    items: PlannedItems | None = None
    when: Value | None = None
    publish: Mapping[str, Value] = {}
    label: Value | None = None
    retry_when: Value | None = None
    retry_until: Value | None = None
    transitions: tuple[PlannedTransition, ...] = ()
    max_visits: int = 10_000
    limit: NamedLimit | None = None
    runs_on: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """Names of the keys of the store that its templates read, sorted."""


class PlannedLimit(msgspec.Struct, frozen=True):
    """The number of runs of one key that are driven at a time; without a key, of the workflow.

    With `keeps_slot` a run that waits keeps its slot. With `children` the workflow takes a slot as
    well where another one calls it.
    """

    most: Setting[int]
    key: Value | None
    when_full: str
    keeps_slot: bool = False
    children: bool = False
    place: Place | None = None


class PlannedRepeat(msgspec.Struct, frozen=True):
    """The key under which a run is a repeat of one that was made in the last `for_s` seconds."""

    key: Value
    for_s: float


class Plan(msgspec.Struct, frozen=True):
    """A workflow made ready. `text` is the workflow as written, which every run records.

    `tasks` are those of the graph, and after them those of the end: so many of `on_failure`, and
    those of `finally`. `numbers` finds all of them by name.
    """

    name: str
    description: str
    file: str
    text: str
    graph: Graph
    tasks: tuple[PlannedTask, ...]
    parameters: Mapping[str, ParameterDefinition]
    variables: Mapping[str, Value]
    secrets: tuple[str, ...] = ()
    """Names of the secrets that templates use, sorted."""
    keys: tuple[str, ...] = ()
    """Names of the keys of the store that its variables and its output read, sorted."""
    timeout: Setting[float | None] | None = None
    concurrency: PlannedLimit | None = None
    priority: Setting[int] | None = None
    dedupe: PlannedRepeat | None = None
    output: Value | None = None
    on_failure: int = 0
    numbers: Mapping[str, int] = {}
    warnings: tuple[Diagnostic, ...] = ()
    """Warnings: allowed, but perhaps not meant."""
    triggers: tuple[PlannedTrigger, ...] = ()
    """The triggers that start runs of it."""
    packs: tuple[str, ...] = ()
    """The pack folders that it was made with, as absolute paths."""

    def family(self) -> list[Plan]:
        """This plan and those of all workflows that it calls, each once."""
        found: list[Plan] = []
        pending = [self]
        while pending:
            plan = pending.pop()
            if not any(plan is each for each in found):
                found.append(plan)
                calls = (task.spec.workflow for task in plan.tasks)
                pending += [workflow() for workflow in calls if workflow is not None]
        return found
