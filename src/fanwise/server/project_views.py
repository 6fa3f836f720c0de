"""The objects that the API gives of projects, engines, waits and requests; see `views`."""

from __future__ import annotations

from fanwise.server.views import RunStatus, View, WaitView


class WaitList(View, frozen=True, kw_only=True):
    """Waits, the oldest first."""

    waits: list[WaitView]


class AnsweredView(View, frozen=True, kw_only=True):
    """An answer that counts. `at` and `answer` are null while it is kept for its question."""

    run_id: str
    path: str
    by: str
    at: str | None
    answer: object


class SignalledView(View, frozen=True, kw_only=True):
    """A signal, and the path of the task whose wait it has ended; null if it is kept."""

    run_id: str
    path: str | None


class EngineView(View, frozen=True, kw_only=True):
    """An engine with the ids of its runs. Its last sign of life is `silent_s` old."""

    engine: int
    host: str
    pid: int
    since: str | None
    silent_s: float
    lease_s: float
    runs: tuple[str, ...]


class EngineList(View, frozen=True, kw_only=True):
    """All engines."""

    engines: list[EngineView]


class RunLimitView(View, frozen=True, kw_only=True):
    """A limit on runs at a time, with the runs that have its slots."""

    workflow: str
    key: str
    used: int
    slots: int
    waiting: int
    runs: tuple[str, ...]
    interrupted: tuple[str, ...]


class ShareView(View, frozen=True, kw_only=True):
    """The share that an engine has of a named limit."""

    engine: int
    used: int
    slots: int


class NamedLimitView(View, frozen=True, kw_only=True):
    """A named limit on attempts; `slots` is null for one of rate alone."""

    limit: str
    used: int
    slots: int | None
    engines: list[ShareView]


class LimitList(View, frozen=True, kw_only=True):
    """The limits in use: on `runs` at a time, and on `attempts`, by name."""

    runs: list[RunLimitView]
    attempts: list[NamedLimitView]


class StoreView(View, frozen=True, kw_only=True):
    """The place of the store, without any password, and its size."""

    place: str
    total_bytes: int
    free_bytes: int


class ParameterView(View, frozen=True, kw_only=True):
    """A parameter of a workflow. The default of a secret one isn't shown."""

    type: str | None
    required: bool
    default: object
    choices: list[object] | None
    minimum: float | None
    maximum: float | None
    pattern: str | None
    secret: bool
    description: str


class WorkflowView(View, frozen=True, kw_only=True):
    """A workflow of the project that is served."""

    name: str
    description: str
    file: str
    parameters: dict[str, ParameterView]
    tasks: list[str]
    triggers: list[str]


class WorkflowDetails(WorkflowView, frozen=True, kw_only=True):
    """A workflow of the project, with its text."""

    text: str


class WorkflowList(View, frozen=True, kw_only=True):
    """The workflows of the project, by name."""

    workflows: list[WorkflowView]


class TriggerView(View, frozen=True, kw_only=True):
    """A trigger: as its file says, and as far as the store knows it."""

    workflow: str
    trigger: str
    kind: str
    enabled: bool
    next: str | None
    place: str
    paused_at: str | None
    note: str | None
    last_at: str | None
    last_status: str | None
    trouble: str | None


class TriggerList(View, frozen=True, kw_only=True):
    """The triggers of the project in a folder, and what is wrong with its files."""

    folder: str
    triggers: list[TriggerView]
    problems: list[str]
    warnings: list[str]


class FireView(View, frozen=True, kw_only=True):
    """A fire of a trigger: it stands for `n` times, from `first` to `at`."""

    key: str
    at: str
    first: str
    n: int
    status: str
    reason: str | None
    run_id: str | None
    fired_at: str


class FireList(View, frozen=True, kw_only=True):
    """A page of fires, the newest first; `next` is the cursor of the next one."""

    fires: list[FireView]
    next: str | None


class FiredView(View, frozen=True, kw_only=True):
    """A fire by hand, with the facts and the parameters of its run, and the ids of runs made.

    By its trigger's overlap it may have another `status` than `ran`, for a `reason`.
    """

    runs: tuple[str, ...]
    status: str
    reason: str
    trigger: object
    parameters: object


class InstantsView(View, frozen=True, kw_only=True):
    """Past times without a run, and the ids of the runs that were made of them.

    If not all of them have one now, there is a `reason`.
    """

    instants: list[str]
    runs: tuple[str, ...]
    reason: str


class CheckedRun(View, frozen=True, kw_only=True):
    """The workflow and all parameters that a run would have; secret ones are null."""

    workflow: str
    parameters: object


class ChangedRun(View, frozen=True, kw_only=True):
    """A run with its status. The effect of what has been `asked` follows in a moment."""

    run_id: str
    status: RunStatus
    asked: str | None


class StartedRun(View, frozen=True, kw_only=True):
    """A run that waits for an engine. It isn't new if an earlier request has made it."""

    run_id: str
    is_new: bool
    skipped: str | None


class NoteView(View, frozen=True, kw_only=True):
    """A retry's effect on a task: it runs again for a `reason`, or is kept, or runs first now."""

    task: str
    is_kept: bool
    reason: str | None
    failed_items: int


class RetryPlan(View, frozen=True, kw_only=True):
    """The effect that a retry would have on each task; nothing has changed."""

    run_id: str
    tasks: list[NoteView]
