"""Engines and executors on a store, and runs for engines to take."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fanwise.errors import (
    RunExistsError,
    RunRepeatedError,
    UsageError,
)
from fanwise.trace_ids import is_traced

if TYPE_CHECKING:
    from fanwise.engine import Engine, Services
    from fanwise.engine.taking import Taking, Takings
    from fanwise.plan import Plan
    from fanwise.ports import Clock, Executor, Observer, Randomness
    from fanwise.stores import Store
    from fanwise.values import Json

from fanwise.wiring.plans import RecordedPlans
from fanwise.wiring.settings import Settings, read_settings

_Engine = TypeVar("_Engine", bound="Engine")


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
    from fanwise.system import SystemChance, SystemClock, SystemProcesses, user_name

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
        person=user_name(),
        public_url=settings.public_url,
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
    from fanwise.system import EnvironmentSecrets, SystemChance, SystemClock, user_name

    secrets = EnvironmentSecrets(settings.environment)
    factory = RunFactory(SystemClock(), SystemChance(), secrets, person=user_name())
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
