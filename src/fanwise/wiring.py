"""Puts the parts together: settings become a store, a catalog of actions and an engine.

This is the one module that knows all adapters, and the one place where the environment is read.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from fanwise.arguments import require_list, require_text
from fanwise.errors import (
    DefinitionError,
    Diagnostic,
    FanwiseError,
    NoStoreError,
    RunExistsError,
    RunRepeatedError,
    UsageError,
)
from fanwise.model import LEASE_S, Limits, RunRecord
from fanwise.trace_ids import is_traced

if TYPE_CHECKING:
    from fanwise.definition.project import ProjectDefinition
    from fanwise.engine import Engine, Services
    from fanwise.engine.taking import Taking, Takings
    from fanwise.engine.triggered import TriggeredRuns
    from fanwise.model import ItemOutcome, NamedLimit, Run, StoreReport, TriggerState
    from fanwise.packs.projects import Project
    from fanwise.plan import Plan
    from fanwise.ports import Catalog, Clock, Executor, Observer, Randomness, Records, RerunNotes
    from fanwise.preview import RunPreview
    from fanwise.reports.ownership import Runs
    from fanwise.service.clock import TriggerClock
    from fanwise.service.projects import WatchedProject
    from fanwise.service.watcher import ServiceWatcher
    from fanwise.stores import Store, Upgrade
    from fanwise.values import Json

Workflow = str | os.PathLike[str] | Mapping[str, object]
"""A workflow: the path of its file, its text in YAML, or its content as a map.

A `str` with a line break is text, and any other `str` is a path.
"""

StorePlace = str | os.PathLike[str] | None
"""The URL of a store, or the path of its file; None for the one that the settings name."""

Actions = Sequence[Callable[..., object]]
"""Functions made actions by `@fanwise.action`."""

_is_url = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?").fullmatch
_Engine = TypeVar("_Engine", bound="Engine")
_MOST_PLANS = 64
_MOST = 10**15
_MOST_DEPTH = 100  # each takes several frames of Python's stack
_LEAST_LEASE_S = 1.0  # less, and a machine that is merely slow would lose its runs


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of fanwise: the store's URL, further pack folders, limits, the environment.

    For `lease_s` a run stays with a process of which nothing is heard. `executor` is where actions
    run, of tasks that don't say it, and `processes` how many child processes there may be; None is
    by the kind of each action, and one for each core. `ray` is the address of a Ray cluster; with
    None one is started on this machine when it is needed. `public_url` is where a server of the
    store is reached.
    """

    store: str
    packs: tuple[Path, ...] = ()
    limits: Limits = Limits()
    lease_s: float = LEASE_S
    executor: str | None = None
    processes: int | None = None
    ray: str | None = None
    public_url: str | None = None
    environment: Mapping[str, str] = {}


def read_settings(
    *,
    store: str | os.PathLike[str] | None = None,
    packs: Sequence[str | os.PathLike[str]] = (),
    executor: str | None = None,
    processes: int | None = None,
    ray: str | None = None,
    public_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    workflow: Workflow | None = None,
) -> Settings:
    """The settings that arguments, the environment and the project make; the first wins.

    The project's `fanwise.yaml` is looked for from the folder of the file `workflow`, or the
    current folder, upward, if neither of the others names a store.

    Reads `FANWISE_STORE`, `FANWISE_PACKS` (folders, separated as in `PATH`), `FANWISE_EXECUTOR`,
    `FANWISE_PROCESSES`, `FANWISE_RAY`, else `RAY_ADDRESS`, `FANWISE_PUBLIC_URL`, `FANWISE_LEASE` (a
    duration) and `FANWISE_LIMIT_NAME`. Raises `UsageError` for an executor or a limit that is
    unknown, a number that is no whole one, a URL that is none, a lease that is no duration or too
    short, and text that isn't UTF-8; and `DefinitionError` for a `fanwise.yaml` with problems.
    """
    require_list("packs", packs, '"folder"')
    if workflow is not None:
        _require_workflow(workflow)
    if store is not None and not isinstance(store, os.PathLike):
        require_text("store", store)
    env = dict(os.environ if environment is None else environment)
    _require_text(env)
    limits = _read_limits(env)
    named = (
        (store and os.fspath(store)) or env.get("FANWISE_STORE") or _project_store(workflow, limits)
    )
    folders = [Path(folder) for folder in env.get("FANWISE_PACKS", "").split(os.pathsep) if folder]
    return Settings(
        store=named or str(_default_store(env)),
        packs=(*folders, *map(Path, packs)),
        limits=limits,
        lease_s=_read_lease(env),
        executor=_read_executor(executor, env),
        processes=_read_processes(processes, env),
        ray=_read_ray(ray, env),
        public_url=_read_public_url(public_url, env),
        environment=env,
    )


def _require_text(env: Mapping[str, str]) -> None:
    """Raise `UsageError` for a variable of ours, or one that leads to files, that isn't UTF-8."""
    from fanwise.values import is_storable

    for name, value in env.items():
        is_ours = name.startswith("FANWISE_") or name in ("HOME", "XDG_DATA_HOME")
        if is_ours and not (is_storable(name) and is_storable(value)):
            shown = os.fsencode(name).decode(errors="backslashreplace")
            raise UsageError(f"the environment variable {shown} isn't text in UTF-8.")


def _read_lease(env: Mapping[str, str]) -> float:
    text = env.get("FANWISE_LEASE")
    if not text:
        return LEASE_S
    from fanwise.definition.literals import parse_duration

    try:
        lease_s = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"the environment variable FANWISE_LEASE {error}.") from None
    if lease_s < _LEAST_LEASE_S:
        raise UsageError(
            f"the environment variable FANWISE_LEASE takes {_LEAST_LEASE_S:g} s or more.",
            hint=f"Without it leases hold for {LEASE_S:g} s.",
        )
    return lease_s


def _read_executor(given: str | None, env: Mapping[str, str]) -> str | None:
    name = given or env.get("FANWISE_EXECUTOR") or None
    if name is None:
        return None
    from fanwise.catalog import EXECUTORS

    if name not in EXECUTORS:
        origin = "" if given else "FANWISE_EXECUTOR: "
        raise UsageError(
            f'{origin}there is no executor "{name}".',
            hint=f"The executors are {', '.join(EXECUTORS)}.",
        )
    return name


def _read_processes(given: int | None, env: Mapping[str, str]) -> int | None:
    text = env.get("FANWISE_PROCESSES") if given is None else str(given)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 4 and int(text) > 0):
        origin = "the environment variable FANWISE_PROCESSES" if given is None else "`processes`"
        raise UsageError(f"{origin} takes a whole number from 1 to 9,999.")
    return int(text)


def _read_ray(given: str | None, env: Mapping[str, str]) -> str | None:
    """The address of a cluster; None, as for Ray itself, is also said as `local`."""
    if given is not None:
        require_text("ray", given)
    address = given or env.get("FANWISE_RAY") or env.get("RAY_ADDRESS") or None
    if address is not None and address.startswith("ray://"):
        raise UsageError(
            f"{address} is an address of Ray's client, which can't be used.",
            hint="Give the address that `ray start --head` prints, such as 10.0.0.5:6379.",
        )
    return None if address == "local" else address


def _read_public_url(given: str | None, env: Mapping[str, str]) -> str | None:
    url = given or env.get("FANWISE_PUBLIC_URL") or None
    if url is not None and not _is_url(url):
        raise UsageError(
            f"{'--public-url' if given else 'FANWISE_PUBLIC_URL'} takes the URL of a server.",
            hint="Write for example https://fanwise.example.com",
        )
    return url


def _project_store(workflow: Workflow | None, limits: Limits) -> str | None:
    """The store that the nearest `fanwise.yaml` names; a path is relative to that file."""
    for folder, project in _projects(workflow, limits):
        if project.store is not None:
            return _store_from(folder, project.store)
    return None


def read_named_limits(workflow: Workflow | None, settings: Settings) -> Sequence[NamedLimit]:
    """The limits that tasks may name: those of the nearest `fanwise.yaml` that has some.

    Raises `DefinitionError` for one with problems, and `UsageError` for one that can't be read.
    """
    for _, project in _projects(workflow, settings.limits):
        if project.limits:
            return project.limits
    return ()


def _projects(
    workflow: Workflow | None, limits: Limits
) -> Iterator[tuple[Path, ProjectDefinition]]:
    """Each `fanwise.yaml` from the folder of a workflow, or the current one, upward."""
    from fanwise.definition.project import PROJECT_FILE, load_project

    folder = Path.cwd()
    if isinstance(workflow, str | os.PathLike) and not _is_text(workflow):
        folder = Path(workflow).absolute().parent
    for each in (folder, *folder.parents):
        file = each / PROJECT_FILE
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UsageError(
                f"{file}  can't be read: {error.strerror}.", hint="Or name a store with --store."
            ) from None
        yield each, load_project(text, file=str(file), limits=limits)


def _store_from(folder: Path, store: str) -> str:
    """The store's URL, with a relative path made absolute."""
    prefix = "sqlite:///"
    if store.startswith(prefix):
        return f"{prefix}{folder / store.removeprefix(prefix)}"
    return store if "://" in store else str(folder / store)


def _is_text(workflow: str | os.PathLike[str]) -> bool:
    """Say whether a workflow is given as its text, not as the path of its file."""
    return isinstance(workflow, str) and workflow.splitlines() not in ([], [workflow])


def _require_workflow(workflow: object) -> None:
    """Raise `UsageError` for what can't be a workflow."""
    if not isinstance(workflow, str | os.PathLike | Mapping):
        raise UsageError(
            f"a workflow can't be given as {type(workflow).__name__}.",
            hint="Give the path of its file, its text in YAML, or its content as a map.",
        )


def _default_store(env: Mapping[str, str]) -> Path:
    """The user's own store, where the XDG Base Directory Specification puts data."""
    data = env.get("XDG_DATA_HOME") or ""
    base = Path(data) if data.startswith("/") else Path(env.get("HOME", "~")) / ".local" / "share"
    return base.expanduser() / "fanwise" / "fanwise.db"


def _read_limits(env: Mapping[str, str]) -> Limits:
    prefix = "FANWISE_LIMIT_"
    known = {f"{prefix}{name.upper()}": name for name in Limits.__struct_fields__}
    given: dict[str, int] = {}
    for variable, text in env.items():
        if not variable.startswith(prefix):
            continue
        if variable not in known:
            raise UsageError(
                f"the environment variable {variable} names no limit.",
                hint=f"The limits are {', '.join(Limits.__struct_fields__)}.",
            )
        most = _MOST_DEPTH if known[variable] == "depth" else _MOST
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))
        if not (digits and 0 < int(text) <= most):
            raise UsageError(
                f"the environment variable {variable} takes a whole number from 1 to {most:,}."
            )
        given[known[variable]] = int(text)
    return Limits(**given)


def load_plan(
    workflow: Workflow,
    settings: Settings | None = None,
    *,
    packs: Sequence[str | os.PathLike[str]] = (),
    actions: Actions = (),
    import_packs: bool = True,
) -> Plan:
    """Read, check and compile a workflow, for an engine to run.

    `packs` are further pack folders; `settings` name them themselves. `actions` are functions made
    by `@fanwise.action`, which the workflow calls beside those of packs. Without `import_packs` no
    author's code is run, actions aren't checked, and the plan can be looked at but not run. Raises
    `DefinitionError`, `ActionLoadError`, and `UsageError` for a file that can't be read, or if
    both settings and packs are given.
    """
    from fanwise.packs.workflows import TEXT, Workflows

    if packs and settings is not None:
        raise UsageError(
            "load_plan takes packs or settings, which name packs themselves, not both.",
            hint="Use: load_plan(workflow, read_settings(packs=...))",
        )
    _require_workflow(workflow)
    require_list("actions", actions, "function")
    settings = settings or read_settings(packs=packs)
    workflows = Workflows(
        settings.packs,
        settings.limits,
        import_packs=import_packs,
        actions=actions,
        named_limits=read_named_limits(workflow, settings),
    )
    if isinstance(workflow, Mapping):
        return workflows.load_text(_as_text(workflow))
    if isinstance(workflow, str) and _is_text(workflow):
        return workflows.load_text(workflow, file=TEXT)
    return workflows.load(Path(workflow))


def load_recorded(
    record: RunRecord, settings: Settings, *, actions: Actions = (), import_packs: bool = True
) -> Plan:
    """The plan of a recorded run, of its workflows as they were when it started.

    Its actions are those that are there now, in the packs that it was started with and those that
    `settings` name. Raises what `load_plan` raises.
    """
    from fanwise.packs.workflows import INLINE, TEXT, Workflows

    require_list("actions", actions, "function")
    texts = {record.file: record.definition, **record.origin.workflows}
    packs = _packs_of(record, settings)
    workflows = Workflows(
        packs,
        settings.limits,
        import_packs=import_packs,
        texts=texts,
        actions=actions,
        named_limits=record.origin.named_limits,
    )
    file = Path(record.file)
    try:
        if file.name in (INLINE, TEXT):
            return workflows.load_text(record.definition.encode(), file=file.name)
        return workflows.load(file)
    except DefinitionError as error:
        raise DefinitionError(
            tuple(_with_remedy(each, record) for each in error.problems)
        ) from None


def _with_remedy(problem: Diagnostic, record: RunRecord) -> Diagnostic:
    """The same problem; a missing action of a recorded run has been there, so how to give it."""
    if problem.code != "unknown-action":
        return problem
    remedy = (
        f"Run {record.id} was started with it: give it again with actions=[...] from Python, "
        "or with --packs."
    )
    return problem._replace(hint=f"{problem.hint} {remedy}".lstrip())


def load_to_retry(
    record: RunRecord,
    settings: Settings,
    repaired: Workflow | None,
    *,
    actions: Actions = (),
) -> tuple[Plan, Plan]:
    """The plan of a recorded run, and the one to go on with: of a `repaired` workflow, or the same.

    A repaired one has the packs that the run was started with as well. Raises what `load_plan`
    raises.
    """
    if repaired is None:
        plan = load_recorded(record, settings, actions=actions)
        return plan, plan
    try:
        recorded = load_recorded(record, settings, actions=actions)
    except FanwiseError:  # it may be its actions that are repaired
        recorded = load_recorded(record, settings, import_packs=False)
    with_packs = msgspec.structs.replace(settings, packs=_packs_of(record, settings))
    return recorded, load_plan(repaired, with_packs, actions=actions)


def changed_files(record: RunRecord) -> list[str]:
    """The workflow files of a run, its own first, whose text isn't the recorded one any more."""
    texts = {record.file: record.definition, **record.origin.workflows}
    return [file for file, text in texts.items() if _has_changed(Path(file), text)]


def _has_changed(file: Path, text: str) -> bool:
    try:
        present = file.read_bytes().decode("utf-8-sig", "replace")
    except OSError:  # also for a workflow that was given as text
        return False
    return present.splitlines() != text.removeprefix("\ufeff").splitlines()


def retry_notes(
    records: Records, record: RunRecord, settings: Settings, from_task: str | None = None
) -> RerunNotes:
    """Return what a retry of a run would do with each task; nothing is done, no code is run.

    Raises what a retry raises.
    """
    from fanwise.engine.takeover import retry_notes

    plan = load_recorded(record, settings, import_packs=False)
    return retry_notes(plan, record, records, from_task)


def _packs_of(record: RunRecord, settings: Settings) -> tuple[Path, ...]:
    """The pack folders that a run was started with, and those of the settings."""
    return tuple(dict.fromkeys([*map(Path, record.origin.packs), *settings.packs]))


def load_triggers(settings: Settings, folder: Path) -> Project:
    """The triggers of the project around a folder, with what is wrong with its files.

    No author's code is run. Raises `DefinitionError` and `UsageError` for its `fanwise.yaml`.
    """
    from fanwise.packs.projects import load_project_triggers

    return load_project_triggers(folder, settings.packs, settings.limits)


def load_catalog(settings: Settings) -> Catalog:
    """All actions and workflows of installed packs and pack folders. Raises `ActionLoadError`."""
    from fanwise.packs.folders import load_actions

    return load_actions(pack_folders=settings.packs)


def _as_text(workflow: Mapping[str, object]) -> bytes:
    """A workflow given as a map, as text: JSON is YAML."""
    from fanwise.values import encode

    return encode(dict(workflow), where="workflow")


@contextmanager
def open_engine(
    *,
    store: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    create: bool = True,
    grace_s: float | None = None,
) -> Iterator[Engine]:
    """An engine with the usual parts, on the store at a URL (default: the user's own).

    With `settings` it is the store that they name; without `create` it must be there. A pause lets
    what is in flight finish for `grace_s` seconds. Raises `UsageError` if both are given, and
    `StoreError` if the store can't be opened.
    """
    from fanwise.stores import open_store

    if store is not None and settings is not None:
        raise UsageError(
            "open_engine takes a store or settings, which name a store themselves, not both.",
            hint="Use: open_engine(settings=read_settings(store=...))",
        )
    settings = settings or read_settings(store=store)
    with (
        open_store(settings.store, create=create) as opened,
        open_executors(settings) as executors,
        _watching_all(opened, settings) as observer,
    ):
        yield build_engine(
            opened, settings, executors=executors, grace_s=grace_s, observer=observer
        )


@contextmanager
def _watching_all(store: Store, settings: Settings) -> Iterator[Observer | None]:
    """The observer of all runs that sends their traces, if a collector is named."""
    if not is_traced(settings.environment or os.environ):
        yield None
        return
    from fanwise.telemetry.traces.exporting import sending_traces

    with sending_traces(store) as observer:
        yield observer


@contextmanager
def open_executors(settings: Settings, clock: Clock | None = None) -> Iterator[dict[str, Executor]]:
    """All executors by their names, to be used as a block, which ends what they have started."""
    from fanwise.catalog import LOCAL, PROCESS, RAY
    from fanwise.executors.local import LocalExecutor
    from fanwise.executors.process import ProcessExecutor, public
    from fanwise.executors.ray import RayExecutor
    from fanwise.system import SystemClock, usable_cores

    clock = clock or SystemClock()
    environment = settings.environment or os.environ
    cores = settings.processes or usable_cores()
    processes = ProcessExecutor(clock, cores, public(environment))
    most = cores if settings.ray is None else settings.processes
    ray = RayExecutor(clock, settings.ray, most, environment)
    try:
        yield {LOCAL: LocalExecutor(clock), PROCESS: processes, RAY: ray}
    finally:
        processes.close()
        ray.close()


def open_records(settings: Settings) -> Store:
    """The store for reading, to be used as a block. Raises `StoreError` if there is none."""
    from fanwise.stores import open_store

    return open_store(settings.store, read_only=True)


def open_existing(settings: Settings) -> Store:
    """The store for changing it, to be used as a block. Raises `StoreError` if there is none."""
    from fanwise.stores import open_store

    return open_store(settings.store, create=False)


def open_or_make(settings: Settings) -> Store:
    """The store for changing it, to be used as a block; made if there is none."""
    from fanwise.stores import open_store

    return open_store(settings.store)


def detached(run: Run, settings: Settings) -> Run:
    """The run of an engine whose store is closed by now: its failed items open it to be read."""
    from fanwise.engine.failures import FailedItems, read_failed

    def read(run_no: int, visit_no: int, after: int) -> Sequence[ItemOutcome]:
        with open_records(settings) as records:
            return read_failed(records, run_no, visit_no, after)

    tasks = {
        name: msgspec.structs.replace(task, failures=task.failures.reading(read))
        if isinstance(task.failures, FailedItems)
        else task
        for name, task in run.tasks.items()
    }
    return msgspec.structs.replace(run, tasks=tasks)


def runs_of(store: Store) -> Runs:
    """The runs of an open store, with the state of the processes that drive them."""
    from fanwise.reports.ownership import Runs
    from fanwise.system import SystemProcesses

    return Runs(store, store, store, store, SystemProcesses())


def system_clock() -> Clock:
    """The machine's clock."""
    from fanwise.system import SystemClock

    return SystemClock()


def this_user() -> str:
    """The name of the user that this process runs as."""
    from fanwise.system import user_name

    return user_name()


def check_store(settings: Settings) -> StoreReport:
    """Check the store for damage; see `fanwise.stores.check`."""
    from fanwise.stores import check

    return check(settings.store)


def upgrade_store(settings: Settings, *, keep_copy: bool = True) -> Upgrade:
    """Bring the store to this version's schema; see `fanwise.stores.upgrade`."""
    from fanwise.stores import upgrade

    return upgrade(settings.store, keep_copy=keep_copy)


def build_engine(
    store: Store,
    settings: Settings,
    *,
    clock: Clock | None = None,
    chance: Randomness | None = None,
    executors: Mapping[str, Executor] | None = None,
    grace_s: float | None = None,
    observer: Observer | None = None,
) -> Engine:
    """An engine on an open store, with the machine's clock and chance unless others are given.

    `executors` are those of `engine.placement` by name; without them actions run in this process.
    `observer` watches all runs.
    """
    from fanwise.engine import Engine

    services = _services(
        store, settings, clock=clock, chance=chance, executors=executors, observer=observer
    )
    return _engine(Engine, store, services, settings, grace_s)


def _services(
    store: Store,
    settings: Settings,
    *,
    clock: Clock | None = None,
    chance: Randomness | None = None,
    executors: Mapping[str, Executor] | None = None,
    observer: Observer | None = None,
) -> Services:
    from fanwise import sources
    from fanwise.actions.resources import resources
    from fanwise.engine import LOCAL, Services
    from fanwise.executors.local import LocalExecutor
    from fanwise.system import SystemChance, SystemClock, SystemProcesses

    clock = clock or SystemClock()
    return Services(
        records=store,
        ownership=store,
        mailbox=store,
        queue=store,
        waits=store,
        arrivals=store,
        run_slots=store,
        shares=store,
        kv=store,
        executors=executors or {LOCAL: LocalExecutor(clock)},
        sources=sources,
        resources=resources,
        clock=clock,
        randomness=chance or SystemChance(),
        processes=SystemProcesses(),
        limits=settings.limits,
        executor=settings.executor,
        observer=observer,
    )


def _engine(
    kind: type[_Engine],
    store: Store,
    services: Services,
    settings: Settings,
    grace_s: float | None,
) -> _Engine:
    from fanwise.engine import GRACE_S
    from fanwise.system import EnvironmentSecrets

    return kind(
        store,
        services,
        EnvironmentSecrets(settings.environment),
        grace_s=GRACE_S if grace_s is None else grace_s,
        lease_s=settings.lease_s,
    )


class Submitted(NamedTuple):
    """A run that was submitted, or with `is_new` False the one that it would repeat.

    `skipped` is the reason for which it isn't run, if its workflow's `concurrency` gives one.
    """

    run_id: str
    is_new: bool
    skipped: str | None


def submit_run(
    plan: Plan,
    parameters: Mapping[str, Json],
    settings: Settings,
    *,
    queue: str,
    priority: int | None = None,
    once: str | None = None,
    run_id: str | None = None,
    tags: Collection[str] = (),
) -> Submitted:
    """Record a run for an engine to take, unless a run has its key already.

    Without a `priority` it has that of its workflow. Raises `ParameterError`, `RunExistsError`,
    `QueueFullError`, `StoreError`, and `UsageError` for a malformed id, tag, queue, priority or
    key.
    """
    from fanwise.engine.run_factory import RunFactory, checked_submission
    from fanwise.model import Submission
    from fanwise.stores import open_store
    from fanwise.system import EnvironmentSecrets, SystemChance, SystemClock

    factory = RunFactory(SystemClock(), SystemChance(), EnvironmentSecrets(settings.environment))
    checked_submission(Submission(queue, priority or 0, once))
    record = factory.submitted(plan, parameters, run_id, tags)
    place = Submission(
        queue,
        record.origin.priority if priority is None else priority,
        once,
        most_waiting=settings.limits.queued,
    )
    with open_store(settings.store) as store:
        while True:
            try:
                found, is_new = store.submit(record, place)
                break
            except RunRepeatedError as repeated:
                found, is_new = repeated.run_id, False
                break
            except RunExistsError:
                if run_id is not None:
                    raise
            # Of hundreds of ids of one second two may be the same.
            record = factory.submitted(plan, parameters, None, tags)
        made = store.run(found) if is_new and record.origin.limit is not None else None
        return Submitted(found, is_new, made.error.message if made and made.error else None)


@contextmanager
def open_taking(
    settings: Settings,
    *,
    queues: Sequence[str],
    most: int | None = None,
    grace_s: float | None = None,
    takings: Takings | None = None,
) -> Iterator[Taking]:
    """A way to take runs from queues of the store that the settings name, at most `most` at once.

    A store is made if there is none. Raises `StoreError`, and `UsageError` for a malformed queue.
    """
    from fanwise.engine.claiming import ClaimingEngine
    from fanwise.engine.run_factory import checked_queue
    from fanwise.engine.taking import MOST_RUNS, Taking, Takings
    from fanwise.stores import open_store

    names = [checked_queue(name) for name in queues]
    with (
        open_store(settings.store) as store,
        open_executors(settings) as executors,
        _watching_all(store, settings) as observer,
    ):
        services = _services(store, settings, executors=executors, observer=observer)
        yield Taking(
            _engine(ClaimingEngine, store, services, settings, grace_s),
            services,
            RecordedPlans(settings).load,
            queues=names,
            most=MOST_RUNS if most is None else most,
            lease_s=settings.lease_s,
            takings=takings or Takings(),
        )


class Serving(NamedTuple):
    """A project that is served: its clock, its files, the store, and the maker of its runs."""

    clock: TriggerClock
    project: WatchedProject
    store: Store
    runs: TriggeredRuns


@contextmanager
def open_serving(settings: Settings, folder: Path, watcher: ServiceWatcher) -> Iterator[Serving]:
    """The project around a folder, to be served as a block.

    A store is made if there is none. Raises `StoreError`, and `DefinitionError` or `UsageError` for
    the project's `fanwise.yaml`.
    """
    from fanwise.packs.projects import find_folder, project_stamp
    from fanwise.service.clock import TriggerClock
    from fanwise.service.deciders import all_deciders
    from fanwise.service.folders import Folders
    from fanwise.service.projects import WatchedProject
    from fanwise.stores import open_store
    from fanwise.system import SystemClock, SystemProcesses

    runs = triggered_runs(settings, find_folder(folder))

    def load() -> Project:
        project = load_triggers(settings, folder)
        runs.limits = project.limits
        return project

    project = WatchedProject(load, lambda: project_stamp(folder), watcher)
    project.read()
    with open_store(settings.store) as store:
        now = SystemClock()
        deciders = all_deciders(
            store,
            runs.make,
            SystemProcesses(),
            now,
            settings.limits,
            str(find_folder(folder).absolute()),
            Folders(now),
        )
        clock = TriggerClock(store, project, deciders, now, watcher)
        yield Serving(clock, project, store, runs)


def triggered_runs(
    settings: Settings, folder: Path, limits: Sequence[NamedLimit] = ()
) -> TriggeredRuns:
    """The maker of the runs of fires of the project in a folder, whose tasks may name `limits`."""
    from fanwise.engine.run_factory import RunFactory
    from fanwise.engine.triggered import TriggeredRuns
    from fanwise.system import EnvironmentSecrets, SystemChance, SystemClock

    secrets = EnvironmentSecrets(settings.environment)
    factory = RunFactory(SystemClock(), SystemChance(), secrets)
    most = settings.limits.queued
    return TriggeredRuns(factory, str(folder.absolute()), limits, most)


def trigger_states(settings: Settings) -> Mapping[tuple[str, str], TriggerState]:
    """The triggers that the store knows by workflow and name; none if there is no store."""
    try:
        with open_records(settings) as records:
            _, found = records.triggers()
    except NoStoreError:
        return {}
    return {(state.workflow, state.name): state for state in found}


def secret_of(settings: Settings, name: str) -> str | None:
    """The secret of that name, or None if this process has none."""
    from fanwise.system import EnvironmentSecrets

    return EnvironmentSecrets(settings.environment).get(name)


def new_token(letters: int = 12) -> str:
    """A text of so many letters and digits that comes but once, and that nobody can guess."""
    from fanwise.system import SystemChance

    return SystemChance().token(letters)


def worker_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that takes runs by these settings. Its arguments show no URL."""
    given = {
        "FANWISE_STORE": settings.store,
        "FANWISE_PACKS": os.pathsep.join(str(each.absolute()) for each in settings.packs),
        "FANWISE_EXECUTOR": settings.executor or "",
        "FANWISE_PROCESSES": "" if settings.processes is None else str(settings.processes),
        "FANWISE_RAY": settings.ray or "local",
        "FANWISE_PUBLIC_URL": settings.public_url or "",
    }
    return {**settings.environment, **given}


class RecordedPlans:
    """Plans of recorded runs, of which the latest are kept for runs that were made alike.

    A run whose actions had other code when it was made gets a plan of its own, so code that has
    changed is imported again.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._plans: dict[object, Plan] = {}
        self._loading = threading.Lock()

    async def load(self, record: RunRecord) -> Plan:
        """The plan of a recorded run. Raises what `load_recorded` raises."""
        import asyncio

        return await asyncio.to_thread(self._find, record)

    def _find(self, record: RunRecord) -> Plan:
        origin = record.origin
        made_of = (
            *(record.file, record.definition, origin.packs),
            *(tuple(sorted(origin.workflows.items())), tuple(sorted(origin.actions.items()))),
        )
        with self._loading:  # authors' modules are imported one at a time
            plan = self._plans.pop(made_of, None) or load_recorded(record, self._settings)
            self._plans[made_of] = plan
            while len(self._plans) > _MOST_PLANS:
                del self._plans[next(iter(self._plans))]
        return plan


def preview_run(
    plan: Plan, parameters: Mapping[str, Json], settings: Settings, *, items: int | None = None
) -> RunPreview:
    """Preview a run of `plan`, with at most so many `items` in each fan-out, and run nothing.

    Raises `ParameterError` for parameters that don't fit.
    """
    import asyncio
    from functools import partial

    from fanwise import preview, sources
    from fanwise.engine.folders import locate

    located = partial(
        locate,
        workflow_folder=Path(plan.file).absolute().parent,
        caller_folder=Path.cwd(),
        given=parameters.keys(),
    )
    return asyncio.run(
        preview.preview_run(
            *(plan, parameters, sources, settings.limits, located),
            items=items,
            executor=settings.executor,
        )
    )
