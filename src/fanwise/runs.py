"""Runs from Python: run, submit, resume, retry, pause, cancel, answer them, and open their store.

Each function that waits has a twin for callers on an event loop, whose name begins with an `a`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from fanwise.arguments import require_map
from fanwise.model import Emitted, GivenAnswer
from fanwise.wiring import (
    Actions,
    Settings,
    StorePlace,
    Workflow,
    detached,
    load_plan,
    load_recorded,
    load_to_retry,
    new_token,
    open_engine,
    open_existing,
    open_or_make,
    read_settings,
    runs_of,
    submit_run,
    this_user,
)

if TYPE_CHECKING:
    from fanwise.model import Arrival, RequestKind, Run
    from fanwise.ports import Observer
    from fanwise.run_store import RunDetails, RunStore
    from fanwise.values import Json

Packs = Sequence[str | os.PathLike[str]]
"""Pack folders, or folders that hold packs."""


_LOOK_S = 0.1
"""Seconds between two looks at whether an owner has released its run."""

_EMITTED_TOGETHER = 1_000


async def arun(
    workflow: Workflow,
    parameters: Mapping[str, Json] | None = None,
    *,
    store: StorePlace = None,
    packs: Packs = (),
    actions: Actions = (),
    executor: str | None = None,
    processes: int | None = None,
    ray: str | None = None,
    run_id: str | None = None,
    tags: Collection[str] = (),
    wait_s: float | None = None,
    observer: Observer | None = None,
) -> Run:
    """Run a workflow to its end and return the run, also if it failed.

    `workflow` is the path of its file, its text in YAML, or its content as a map: a `str` with a
    line break is text. `store` is the URL of the store, or its path (default: `FANWISE_STORE`, else
    that of the project's `fanwise.yaml`, else the user's own); `packs` are more pack folders, and
    `actions` functions made by `@fanwise.action`. `executor` is where actions run, `local`,
    `process` or `ray`, of tasks that don't say it; `processes` is how many processes they may have,
    and `ray` the address of a cluster; the defaults are the settings. `tags` are words by which the
    run can be found. A run for which the workflow's `concurrency` has no slot waits for one, at
    most `wait_s` seconds.

    Raises `NoSlotError` then, `RunRepeatedError` if the workflow's `dedupe` rules the run out,
    `DefinitionError`, `ActionLoadError`, `ParameterError`, `RunExistsError` for a `run_id` that is
    taken, `UsageError` for a malformed id, tag or executor, and `StoreError`.
    """
    settings = read_settings(
        store=store,
        packs=packs,
        executor=executor,
        processes=processes,
        ray=ray,
        workflow=workflow,
    )
    plan = load_plan(workflow, settings, actions=actions)
    with open_engine(settings=settings) as engine:
        done = await engine.arun(
            plan, parameters, run_id=run_id, tags=tags, wait_s=wait_s, observer=observer
        )
    return detached(done, settings)


def run(
    workflow: Workflow,
    parameters: Mapping[str, Json] | None = None,
    *,
    store: StorePlace = None,
    packs: Packs = (),
    actions: Actions = (),
    executor: str | None = None,
    processes: int | None = None,
    ray: str | None = None,
    run_id: str | None = None,
    tags: Collection[str] = (),
    wait_s: float | None = None,
    observer: Observer | None = None,
) -> Run:
    """Run a workflow to its end, for callers without an event loop.

    Parameters, result and errors are those of `arun`, which see. It raises `UsageError` also where
    an event loop runs already, as in a notebook.
    """
    from fanwise.engine.blocking import run_blocking

    return run_blocking(
        lambda: arun(
            workflow,
            parameters,
            store=store,
            packs=packs,
            actions=actions,
            executor=executor,
            processes=processes,
            ray=ray,
            run_id=run_id,
            tags=tags,
            wait_s=wait_s,
            observer=observer,
        ),
        instead="await fanwise.arun(...)",
    )


def submit(
    workflow: Workflow,
    parameters: Mapping[str, Json] | None = None,
    *,
    store: StorePlace = None,
    packs: Packs = (),
    run_id: str | None = None,
    tags: Collection[str] = (),
    queue: str = "default",
    priority: int | None = None,
    once: str | None = None,
) -> RunDetails:
    """Record a run for an engine to take, such as `fanwise work`, and return it at once.

    It waits in the `queue` with this name, in which runs with a higher `priority` (-100 to 100,
    default that of the workflow) are taken first, and of equals the oldest. `once` is a key that at
    most one run has: if a run has it already, that run is returned, and none is made. Actions are
    those of packs, since functions can't be recorded; the other arguments are those of `arun`.

    Raises the errors of `arun`, and `ParameterError` for a parameter that is secret or holds a
    secret, which isn't recorded.
    """
    require_map("parameters", parameters)
    settings = read_settings(store=store, packs=packs, workflow=workflow)
    plan = load_plan(workflow, settings)
    done = submit_run(
        plan,
        dict(parameters or {}),
        settings,
        queue=queue,
        priority=priority,
        once=once,
        run_id=run_id,
        tags=tags,
    )
    with open_store(settings.store) as opened:
        return opened.get(done.run_id)


async def aresume(
    run_id: str,
    *,
    secrets: Mapping[str, Json] | None = None,
    store: StorePlace = None,
    packs: Packs = (),
    actions: Actions = (),
    executor: str | None = None,
    processes: int | None = None,
    ray: str | None = None,
    force: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Resume a run that was paused, or whose process has died, and return it at its end.

    `secrets` gives its secret parameters again, and `actions` the functions that it was started
    with: neither is recorded. `executor`, `processes` and `ray` are those of `arun`, and may be
    others than before. With `force` it is resumed although a file that it reads has changed.

    Raises `RunNotFoundError`, `RunOverError`, `RunDrivenError`, `SourceChangedError`,
    `DefinitionError` if an action is missing, `ActionLoadError`, `ParameterError` and `StoreError`.
    """
    settings = read_settings(
        store=store, packs=packs, executor=executor, processes=processes, ray=ray
    )
    with open_engine(settings=settings, create=False) as engine:
        record = engine.find(run_id)
        plan = load_recorded(record, settings, actions=actions)
        done = await engine.aresume(plan, record, secrets=secrets, force=force, observer=observer)
    return detached(done, settings)


def resume(
    run_id: str,
    *,
    secrets: Mapping[str, Json] | None = None,
    store: StorePlace = None,
    packs: Packs = (),
    actions: Actions = (),
    executor: str | None = None,
    processes: int | None = None,
    ray: str | None = None,
    force: bool = False,
    observer: Observer | None = None,
) -> Run:
    """The same as `aresume`, for callers without an event loop."""
    from fanwise.engine.blocking import run_blocking

    return run_blocking(
        lambda: aresume(
            run_id,
            secrets=secrets,
            store=store,
            packs=packs,
            actions=actions,
            executor=executor,
            processes=processes,
            ray=ray,
            force=force,
            observer=observer,
        ),
        instead="await fanwise.aresume(...)",
    )


async def aretry(
    run_id: str,
    *,
    workflow: Workflow | None = None,
    from_task: str | None = None,
    parameters: Mapping[str, Json] | None = None,
    secrets: Mapping[str, Json] | None = None,
    store: StorePlace = None,
    packs: Packs = (),
    actions: Actions = (),
    executor: str | None = None,
    processes: int | None = None,
    ray: str | None = None,
    force: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Run the failed part of a run that is over again, and return the run at its end.

    `workflow` is a repaired one to continue with; `from_task` starts again at a task, whatever its
    outcome; `parameters` have new values, for the part that runs. The other arguments are those of
    `aresume`.

    Raises `RunNotFoundError`, `RunNotOverError`, `RunDrivenError`, `NothingToRetryError`,
    `TaskNotFoundError` for a `from_task` that hasn't run, `SourceChangedError`, `DefinitionError`,
    `ActionLoadError`, `ParameterError`, `StoreError`, and `UsageError` for a repaired workflow that
    lacks a task with recorded work.
    """
    settings = read_settings(
        store=store, packs=packs, executor=executor, processes=processes, ray=ray
    )
    with open_engine(settings=settings, create=False) as engine:
        record = engine.find(run_id)
        recorded, plan = load_to_retry(record, settings, workflow, actions=actions)
        done = await engine.aretry(
            plan,
            record,
            recorded=recorded,
            from_task=from_task,
            parameters=parameters,
            secrets=secrets,
            force=force,
            observer=observer,
        )
    return detached(done, settings)


def retry(
    run_id: str,
    *,
    workflow: Workflow | None = None,
    from_task: str | None = None,
    parameters: Mapping[str, Json] | None = None,
    secrets: Mapping[str, Json] | None = None,
    store: StorePlace = None,
    packs: Packs = (),
    actions: Actions = (),
    executor: str | None = None,
    processes: int | None = None,
    ray: str | None = None,
    force: bool = False,
    observer: Observer | None = None,
) -> Run:
    """The same as `aretry`, for callers without an event loop."""
    from fanwise.engine.blocking import run_blocking

    return run_blocking(
        lambda: aretry(
            run_id,
            workflow=workflow,
            from_task=from_task,
            parameters=parameters,
            secrets=secrets,
            store=store,
            packs=packs,
            actions=actions,
            executor=executor,
            processes=processes,
            ray=ray,
            force=force,
            observer=observer,
        ),
        instead="await fanwise.aretry(...)",
    )


async def apause(run_id: str, *, store: StorePlace = None, wait: bool = True) -> RunDetails:
    """Ask the process that drives a run to pause it, and return the run once that has happened.

    Nothing new starts, and attempts in flight finish within the grace of that process. Without
    `wait` the call returns at once. Raises `RunNotFoundError`, `RunOverError`, `RunNotDrivenError`
    for a run that is paused, interrupted or waits in a queue, and `StoreError`.
    """
    from fanwise.errors import RunNotDrivenError
    from fanwise.model import RequestKind
    from fanwise.reports.lookup import run_by_id

    settings = read_settings(store=store)
    found = await _ask(run_id, RequestKind.PAUSE, settings, wait=wait)
    if found is None:
        with open_existing(settings) as opened:
            record = run_by_id(opened, run_id)
            runs_of(opened).require_taken(record, f"fanwise.cancel({run_id!r})")
        raise RunNotDrivenError(
            f"no process drives run {run_id}.",
            run_id=run_id,
            hint=f"Resume it with: fanwise.resume({run_id!r})",
        )
    return found


def pause(run_id: str, *, store: StorePlace = None, wait: bool = True) -> RunDetails:
    """The same as `apause`, for callers without an event loop."""
    from fanwise.engine.blocking import run_blocking

    return run_blocking(
        lambda: apause(run_id, store=store, wait=wait), instead="await fanwise.apause(...)"
    )


async def acancel(
    run_id: str,
    *,
    secrets: Mapping[str, Json] | None = None,
    store: StorePlace = None,
    packs: Packs = (),
    actions: Actions = (),
    wait: bool = True,
) -> RunDetails:
    """Cancel a run, and return it once it is over: attempts in flight are cut off, `finally` runs.

    The process that drives the run is asked; without `wait` the call returns then. If no process
    does, the run is brought to its end here, for which `secrets`, `packs` and `actions` are those
    of `aresume`. Raises the errors of `aresume`; a run that ends before it has heard the request
    is returned as it ended.
    """
    from fanwise.errors import RunDrivenError
    from fanwise.model import RequestKind

    settings = read_settings(store=store, packs=packs)
    while True:
        found = await _ask(run_id, RequestKind.CANCEL, settings, wait=wait)
        if found is not None and (not wait or found.status.is_final):
            return found
        # No process drives it, or its owner left before it heard the request.
        with open_engine(settings=settings, create=False) as engine:
            record = engine.find(run_id)
            plan = load_recorded(record, settings, actions=actions)
            try:
                await engine.aresume(plan, record, secrets=secrets, cancel=True)
                break
            except RunDrivenError:  # an engine has just taken it from its queue
                continue
    with open_store(settings.store) as opened:
        return opened.get(run_id)


def cancel(
    run_id: str,
    *,
    secrets: Mapping[str, Json] | None = None,
    store: StorePlace = None,
    packs: Packs = (),
    actions: Actions = (),
    wait: bool = True,
) -> RunDetails:
    """The same as `acancel`, for callers without an event loop."""
    from fanwise.engine.blocking import run_blocking

    return run_blocking(
        lambda: acancel(
            run_id, secrets=secrets, store=store, packs=packs, actions=actions, wait=wait
        ),
        instead="await fanwise.acancel(...)",
    )


def answer(
    run_id: str,
    path: str,
    choice: str | None = None,
    fields: Mapping[str, Json] | None = None,
    *,
    by: str | None = None,
    store: StorePlace = None,
) -> bool:
    """Answer the question that a run asks at `path`, the path of a task or an item of it.

    `choice` is one of the question's options, and `fields` are those of the answer. `by` names who
    answers, by default the user of this process. The first answer counts. False for a question that
    isn't asked yet: the answer is kept for it, and one that doesn't fit it is dropped then. A
    submitted run is taken by an engine once it has its answer; another one is resumed, unless a
    process drives it.

    Raises `RunNotFoundError`, `RunOverError`, `WaitNotFoundError` if nothing is asked there,
    `NotAskedError` for who has started the run, if the question says so,
    `WaitSettledError` if it is answered already or its deadline has come, `ParameterError` for an
    answer that doesn't fit, and `StoreError`.
    """
    from fanwise.engine.answers import answer_question
    from fanwise.reports.lookup import run_by_id

    settings = read_settings(store=store)
    given = GivenAnswer(choice=choice, by=by or this_user(), via="python", fields=fields or {})
    plan_of = partial(load_recorded, settings=settings, import_packs=False)
    with open_existing(settings) as opened:
        record = run_by_id(opened, run_id)
        return answer_question(opened, record, path, given, plan_of=plan_of) is not None


def signal(
    run_id: str,
    name: str,
    key: str | None = None,
    payload: Json = None,
    *,
    by: str | None = None,
    store: StorePlace = None,
) -> str | None:
    """Send a signal to a run, and return the path of the task or item whose wait it ends.

    It is None for a signal that nothing waits for yet, which is kept. `key` is the key that a wait
    may ask for, and `payload` the data for the task. `by` names the sender, by default the user of
    this process. Raises `RunNotFoundError`, `RunOverError`, `StoreError`, and `UsageError` for a
    name that is none.
    """
    from fanwise.engine.answers import send_signal
    from fanwise.reports.lookup import run_by_id

    with open_existing(read_settings(store=store)) as opened:
        record, who = run_by_id(opened, run_id), by or this_user()
        wait = send_signal(opened, record, name, key, payload, by=who)
    return None if wait is None else wait.path


def emit(
    name: str,
    data: Json = None,
    *,
    key: str | None = None,
    id: str | None = None,
    by: str | None = None,
    store: StorePlace = None,
) -> bool:
    """Emit an event, and return whether it is new: it starts runs by triggers, and ends waits.

    `key` is the key that a wait may ask for. An `id` that is known already changes nothing; without
    one it is a new one. `by` names the sender, by default the user of this process. Raises
    `UsageError` for a name, an id or data that can't be, `ResultError` for data that isn't JSON,
    and `StoreError`.
    """
    (found,) = emit_all(name, [data], key=key, id=id, by=by, store=store)
    return found.is_new


def emit_all(
    name: str,
    data: Iterable[Json],
    *,
    key: str | None = None,
    id: str | None = None,
    by: str | None = None,
    store: StorePlace = None,
) -> Iterator[Emitted]:
    """Emit an event of the name for each of `data`; an `id` is for one alone. See `emit`."""
    from fanwise.plan.events import new_event

    settings, who = read_settings(store=store), by or this_user()

    def event_of(value: Json) -> Arrival:
        return new_event(
            name, value, settings.limits, id=new_token() if id is None else id, key=key, by=who
        )

    with open_or_make(settings) as opened:
        each = iter(data)
        while events := [event_of(value) for value in islice(each, _EMITTED_TOGETHER)]:
            new = opened.arrive(events)
            yield from (
                Emitted(event.id, is_new) for event, is_new in zip(events, new, strict=True)
            )
        opened.offer_arrivals()


def open_store(store: StorePlace = None) -> RunStore:
    """The runs of the store at a URL (default: the user's own), to be used as a block.

    Raises `StoreError` if there is no store, or it can't be opened.
    """
    from fanwise.run_store import RunStore

    return RunStore(open_existing(read_settings(store=store)))


async def _ask(
    run_id: str, kind: RequestKind, settings: Settings, *, wait: bool
) -> RunDetails | None:
    """Ask the run's owner, and wait until it has released the run; None if no process drives it.

    Raises `RunNotFoundError` and `RunOverError`.
    """
    from fanwise.reports.lookup import require_open, run_by_id
    from fanwise.run_store import RunStore

    with open_existing(settings) as opened:
        runs = runs_of(opened)
        record = run_by_id(opened, run_id)
        require_open(record)
        if await asyncio.to_thread(runs.owner, record) is None:
            return None
        await asyncio.to_thread(runs.send, record, kind)
        is_driven = wait
        while is_driven:
            await asyncio.sleep(_LOOK_S)
            is_driven = await asyncio.to_thread(runs.owner, record) is not None
        return RunStore(opened).get(run_id)
