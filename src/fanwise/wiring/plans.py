"""Plans and catalogs of actions: from files, texts and records, and the packs of settings."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fanwise.arguments import require_list
from fanwise.errors import (
    DefinitionError,
    Diagnostic,
    FanwiseError,
    UsageError,
)
from fanwise.model import ChosenKind, RunRecord

if TYPE_CHECKING:
    from fanwise.packs.projects import Project
    from fanwise.packs.workflows import Workflows
    from fanwise.plan import Plan
    from fanwise.ports import Catalog, Records, RerunNotes
    from fanwise.preview import RunPreview
    from fanwise.values import Json

from fanwise.wiring.settings import (
    Settings,
    Workflow,
    is_text,
    read_named_limits,
    read_settings,
    require_workflow,
)

Actions = Sequence[Callable[..., object]]
"""Functions made actions by `@fanwise.action`."""

_MOST_PLANS = 64


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
    require_workflow(workflow)
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
    if isinstance(workflow, str) and is_text(workflow):
        return workflows.load_text(workflow, file=TEXT)
    return workflows.load(Path(workflow))


def load_recorded(
    record: RunRecord, settings: Settings, *, actions: Actions = (), import_packs: bool = True
) -> Plan:
    """The plan of a recorded run, of its workflows as they were when it started.

    Its actions are those that are there now, in the packs that it was started with and those that
    `settings` name. Raises what `load_plan` raises.
    """
    from fanwise.packs.workflows import INLINE, TEXT

    require_list("actions", actions, "function")
    workflows = _recorded_workflows(record, settings, actions, import_packs=import_packs)
    file = Path(record.file)
    try:
        if file.name in (INLINE, TEXT):
            return workflows.load_text(record.definition.encode(), file=file.name)
        return workflows.load(file)
    except DefinitionError as error:
        raise DefinitionError(
            tuple(_with_remedy(each, record) for each in error.problems)
        ) from None


def load_called(record: RunRecord, settings: Settings, caller: str, name: str) -> Plan | None:
    """The plan of a workflow that the one in the file `caller` calls by a path or a pack's name.

    It is as it was when the run started, without its actions; None if that called no such workflow.
    """
    from fanwise.packs.workflows import is_path

    files = list(_recorded_texts(record))
    if is_path(name):
        found = [str(Path(caller).absolute().parent / name)]
    else:
        pack, _, stem = name.rpartition(".")
        found = [
            each for each in files if Path(each).parts[-2:-1] == (pack,) and Path(each).stem == stem
        ]
    if not found or found[0] not in files:
        return None
    return _recorded_workflows(record, settings, (), import_packs=False).load(Path(found[0]))


def _recorded_workflows(
    record: RunRecord, settings: Settings, actions: Actions, *, import_packs: bool
) -> Workflows:
    """The workflows of a recorded run as they were when it started."""
    from fanwise.packs.workflows import Workflows

    return Workflows(
        _packs_of(record, settings),
        settings.limits,
        import_packs=import_packs,
        texts=_recorded_texts(record),
        actions=actions,
        named_limits=record.origin.named_limits,
    )


def _recorded_texts(record: RunRecord) -> Mapping[str, str]:
    """The texts of a run's own workflow and of those that it calls, by their files."""
    return {record.file: record.definition, **record.origin.workflows}


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
    """The plan of a recorded run, and the plan to resume with: of a repaired workflow, or the same.

    A repaired one has the packs that the run was started with as well. Raises what `load_plan`
    raises.
    """
    if repaired is None:
        plan = load_recorded(record, settings, actions=actions)
        return plan, plan
    recorded = _left_behind(record, settings, actions)
    with_packs = msgspec.structs.replace(settings, packs=_packs_of(record, settings))
    return recorded, load_plan(repaired, with_packs, actions=actions)


def _left_behind(record: RunRecord, settings: Settings, actions: Actions = ()) -> Plan:
    """The plan of a recorded run that is to be driven with another one."""
    try:
        return load_recorded(record, settings, actions=actions)
    except FanwiseError:  # it may be its actions that are repaired
        return load_recorded(record, settings, import_packs=False)


def changed_files(record: RunRecord) -> list[str]:
    """The workflow files of a run, its own first, whose text isn't the recorded one any more."""
    texts = _recorded_texts(record)
    return [file for file, text in texts.items() if _has_changed(Path(file), text)]


def _has_changed(file: Path, text: str) -> bool:
    try:
        present = file.read_bytes().decode("utf-8-sig", "replace")
    except OSError:  # also for a workflow that was given as text
        return False
    return present.splitlines() != text.removeprefix("\ufeff").splitlines()


def retry_notes(
    records: Records,
    record: RunRecord,
    settings: Settings,
    from_task: str | None = None,
    kind_of: ChosenKind | None = None,
    definition: str | None = None,
) -> RerunNotes:
    """Return what a retry of a run would do with each task; nothing is done, no code is run.

    `definition` is the text of a repaired workflow. Raises what a retry raises.
    """
    from fanwise.engine.takeover import retry_notes

    recorded = load_recorded(record, settings, import_packs=False)
    plan = recorded
    if definition is not None:
        plan = load_recorded(_repaired(record, definition), settings, import_packs=False)
    return retry_notes(plan, recorded, record, records, from_task, kind_of)


def _repaired(record: RunRecord, definition: str) -> RunRecord:
    """A run as it would be recorded with another definition; it calls the same other workflows."""
    return msgspec.structs.replace(record, definition=definition)


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


class RecordedPlans:
    """Plans of recorded runs, of which the latest are kept for runs that were made alike.

    A run whose actions had other code when it was made gets a plan of its own, so code that has
    changed is imported again.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._plans: dict[object, Plan] = {}
        self._loading = threading.Lock()

    async def load(self, record: RunRecord, definition: str | None = None) -> tuple[Plan, Plan]:
        """The plan to drive a run with, of a repaired `definition` if given, and the recorded one.

        Raises what `load_recorded` raises.
        """
        import asyncio

        return await asyncio.to_thread(self._load, record, definition)

    def _load(self, record: RunRecord, definition: str | None) -> tuple[Plan, Plan]:
        if definition is None:
            plan = self._find(record)
            return plan, plan
        with self._loading:
            recorded = _left_behind(record, self._settings)
            return load_recorded(_repaired(record, definition), self._settings), recorded

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
