"""`rehearse`: runs a workflow as a test wants it, with stand-ins for its actions, in no time.

A rehearsal is a run by the real engine. What differs is around it: the catalog of actions, the
clock, chance, and, unless a test says otherwise, the store, which is a temporary file. It reads no
environment variable, so it comes out the same on every machine.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

from fanwise.arguments import require_named, require_text
from fanwise.engine.blocking import run_blocking
from fanwise.errors import UsageError
from fanwise.packs.workflows import Workflows
from fanwise.plan import Plan
from fanwise.plan.keys import new_value
from fanwise.ports import Observer, TaskProgress
from fanwise.stores import Store, open_store
from fanwise.testing.chance import FixedChance
from fanwise.testing.jumping_loop import JumpingLoop
from fanwise.testing.outcome import Outcome, read_outcome
from fanwise.testing.stage import Stage
from fanwise.testing.stores import MemoryStore
from fanwise.testing.waiting import Waiting
from fanwise.values import Json, encode
from fanwise.wiring import Settings, Workflow, build_engine, read_named_limits

_NONE: Mapping[str, Any] = {}


def rehearse(
    workflow: Workflow,
    parameters: Mapping[str, Any] | None = None,
    *,
    actions: Mapping[str, Any] = _NONE,
    only_replaced: bool = False,
    secrets: Mapping[str, str] = _NONE,
    packs: Sequence[str | os.PathLike[str]] = (),
    answers: Mapping[str, object] = _NONE,
    signals: Mapping[str, object] = _NONE,
    events: Mapping[str, object] = _NONE,
    kv: Mapping[str, Json] = _NONE,
    store: str | os.PathLike[str] | Store | None = None,
    run_id: str = "rehearsal",
) -> Outcome:
    """Run a workflow with stand-ins for its actions, and return what came of it, also if it failed.

    `workflow` is the path of its file, its text (of more than one line), or its content as a map.
    `actions` gives a result by the name of each action that is to be replaced, or by the path of a
    workflow that is called like one: a value, an exception, a function that takes the input, or a
    choice among them (`fails`, `in_turn`, `per_item`, `per_task`). The others run for real, unless
    `only_replaced` refuses it; `core.echo`, `core.fail`, `core.noop` and `core.sleep` always may.

    `answers` gives an answer to the questions of each task by its name, in a child workflow
    `check.approve`: its choice, or `{choice, answer}` with fields, or a choice among answers
    (`per_item`, `in_turn`). `signals` gives the data of a signal by its name, and `events` that of
    an event. What nobody answers comes to its deadline, and without a `timeout` the rehearsal
    raises `UsageError`.

    `kv` gives values of keys, as they are before the run.

    `store` is the URL of a store, or an open store, which stays open; by default a temporary file.
    Waiting takes no time, except for actions that run for real.

    Raises `UsageError` for arguments that don't fit the workflow or are of wrong types, and what
    `fanwise.run` raises.
    """
    given = {
        "actions": actions,
        "secrets": secrets,
        "answers": answers,
        "signals": signals,
        "events": events,
        "kv": kv,
    }
    for argument, named in given.items():
        require_named(argument, named)
    for name, secret in secrets.items():
        require_text(f"secrets[{name!r}]", secret)
    settings = Settings(
        store="",
        packs=tuple(Path(folder) for folder in packs),
        environment={f"FANWISE_SECRET_{name}": value for name, value in secrets.items()},
    )
    stage = Stage(actions, Waiting(answers, {**events, **signals}))
    plan = _load(
        workflow,
        Workflows(
            settings.packs,
            settings.limits,
            import_packs=True,
            around=stage.around,
            named_limits=read_named_limits(workflow, settings),
        ),
    )
    stage.check(plan, only_replaced=only_replaced)
    _check_secrets(plan, secrets)
    with _opened(store) as opened:
        for name, value in kv.items():
            opened.kv_change(new_value(name, value, settings.limits, by="the rehearsal"))
        return run_blocking(
            lambda: _rehearse(plan, parameters, stage, opened, settings, run_id),
            instead="await asyncio.to_thread(rehearse, ...)",
            loop_factory=JumpingLoop,
        )


async def _rehearse(
    plan: Plan,
    parameters: Mapping[str, Any] | None,
    stage: Stage,
    store: Store,
    settings: Settings,
    run_id: str,
) -> Outcome:
    clock = cast("JumpingLoop", asyncio.get_running_loop())
    engine = build_engine(store, settings, clock=clock, chance=FixedChance())
    watcher = _Watcher()
    run = await engine.arun(plan, parameters, run_id=run_id, observer=watcher)
    if stage.fault is not None:
        raise stage.fault
    return read_outcome(
        run,
        store,
        order=watcher.order,
        attempts=stage.attempts,
        actions=stage.actions(plan),
        notices=watcher.notices,
    )


class _Watcher(Observer):
    """Remembers which tasks have started, and what was said."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.notices: list[str] = []

    def task_started(self, progress: TaskProgress) -> None:
        self.order.append(progress.name)

    def notice(self, text: str) -> None:
        self.notices.append(text)


def _load(workflow: Workflow, workflows: Workflows) -> Plan:
    if isinstance(workflow, Mapping):
        return workflows.load_text(encode(dict(workflow), where="workflow"))
    if isinstance(workflow, str) and "\n" in workflow:
        return workflows.load_text(workflow)
    return workflows.load(Path(workflow))


def _check_secrets(plan: Plan, secrets: Mapping[str, str]) -> None:
    used = {name for each in plan.family() for name in each.secrets}
    if missing := sorted(used - secrets.keys()):
        raise UsageError(
            f"the workflow uses secrets that the rehearsal doesn't give: {', '.join(missing)}.",
            hint=f'Give secrets={{"{missing[0]}": "..."}}.',
        )


def _opened(store: str | os.PathLike[str] | Store | None) -> AbstractContextManager[Store]:
    if store is None:
        return MemoryStore()
    if isinstance(store, str | os.PathLike):
        return open_store(os.fspath(store))
    return nullcontext(store)
