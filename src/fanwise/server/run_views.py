"""The objects that the API gives of runs as pictures and of several runs at once; see `views`."""

from __future__ import annotations

import msgspec

from fanwise.server.views import ItemCounts, RunStatus, View


class NodeView(View, frozen=True, kw_only=True):
    """A task of a graph with its state, or where the run starts or fails: then `task` is null.

    `lines` are its texts. A task of `on-failure` or `finally` has that as its `ending`.
    """

    id: str
    task: str | None
    lines: tuple[str, ...]
    ending: str | None
    status: str | None
    items: ItemCounts | None


class EdgeView(View, frozen=True, kw_only=True):
    """A way from one node to another, by their ids; `label` is its condition."""

    source: str
    target: str
    label: str


class GraphView(View, frozen=True, kw_only=True):
    """The tasks of a run in their order."""

    nodes: list[NodeView]
    edges: list[EdgeView]


class LaneView(View, frozen=True, kw_only=True):
    """A visit of a task over time, or several short ones, of which only their number is told.

    A visit works from `works_at`, after its delay, and was driven in its `parts`. It `is_critical`
    if it is one of those that led to the end of the run.
    """

    visits: int
    started_at: str
    ended_at: str
    span_s: float
    path: str | msgspec.UnsetType = msgspec.UNSET
    visit: int | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    works_at: str | msgspec.UnsetType = msgspec.UNSET
    parts: list[tuple[str, str]] | msgspec.UnsetType = msgspec.UNSET
    attempts: int | msgspec.UnsetType = msgspec.UNSET
    items: ItemCounts | msgspec.UnsetType | None = msgspec.UNSET
    is_critical: bool | msgspec.UnsetType = msgspec.UNSET


class TimelineView(View, frozen=True, kw_only=True):
    """The visits of a run over time, or of a workflow that was called `within` it."""

    run_id: str
    within: str
    lanes: list[LaneView]


class ComparedRun(View, frozen=True, kw_only=True):
    """A run that is compared with another one."""

    run_id: str
    workflow: str
    status: RunStatus
    started_at: str | None
    duration_s: float | None


class LineView(View, frozen=True, kw_only=True):
    """A line of two definitions: `add` or `del` if it differs, `at` for a place, else beside it."""

    mark: str
    text: str


class ParameterPair(View, frozen=True, kw_only=True):
    """A parameter that has other values in two runs."""

    name: str
    a: object
    b: object


class SideView(View, frozen=True, kw_only=True):
    """A task in one of two runs."""

    status: str
    duration_s: float | None
    items: ItemCounts | None


class TaskPairView(View, frozen=True, kw_only=True):
    """A task in two runs, null where there is none. It took `change_s` longer in the second."""

    name: str
    a: SideView | None
    b: SideView | None
    change_s: float | None


class KindPairView(View, frozen=True, kw_only=True):
    """Errors of one type and shape in two runs, with their counts."""

    task: str
    type: str
    shape: str
    a: int
    b: int


class ComparisonView(View, frozen=True, kw_only=True):
    """The differences of two runs.

    `definition` has the lines that differ with those around them. Tasks come first that took much
    longer or shorter, and kinds of errors that are new.
    """

    a: ComparedRun
    b: ComparedRun
    definition: list[LineView]
    parameters: list[ParameterPair]
    tasks: list[TaskPairView]
    kinds: list[KindPairView]


class BulkChoice(View, frozen=True, kw_only=True):
    """The number of runs that are chosen, and the ids of the first hundred."""

    runs: int
    run_ids: tuple[str, ...]


class RefusedRun(View, frozen=True, kw_only=True):
    """A run to which a change can't be made, with the refusal that a request for it alone gets."""

    run_id: str
    code: str
    detail: str
    hint: str


class BulkView(View, frozen=True, kw_only=True):
    """A change of many runs: of all `runs` so many are `done`, among them all `refusals`.

    `refused` tells the first thousand refusals.
    """

    id: str
    action: str
    runs: int
    done: int
    refusals: int
    refused: list[RefusedRun]
    is_over: bool
