"""Loads workflows: a file, its actions, and the workflows that it calls in its turn.

A workflow is called like an action: by its path, which starts at the folder of the file that names
it, or as `pack.name` if a pack holds `name.yaml`. Each file is loaded once, so a workflow may call
itself; how deep that may go is for the engine to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fanwise.actions.decorator import spec_of
from fanwise.catalog import ActionField, ActionSpec, Runs
from fanwise.definition import Accepted, ParameterDefinition, WorkflowDefinition, load
from fanwise.errors import ActionLoadError, DefinitionError, InputError, UsageError
from fanwise.model import Limits, NamedLimit
from fanwise.packs.dates import Dates
from fanwise.packs.folders import load_actions
from fanwise.packs.registry import ActionRegistry
from fanwise.plan import Plan, compile_plan
from fanwise.plan.child_limits import endless_waits
from fanwise.ports import Catalog

INLINE = "<workflow>"
"""The name in messages, in place of a file's, of a workflow that was given as a map."""

TEXT = "<text>"
"""The name in messages, in place of a file's, of a workflow that was given as text."""


class Workflows:
    """Loads workflows, with the packs of the folders given; what is loaded once is kept.

    `actions` are functions made by `@fanwise.action`, which each workflow may call beside those of
    packs; they come before a pack's action that is made from the same lines of a file. `texts` has
    the texts of files that are to be taken as they were, by their absolute paths. `named_limits`
    are those that tasks may name. `around` may put a catalog around that of each file, with which
    actions are looked up instead.
    """

    def __init__(
        self,
        pack_folders: Sequence[Path],
        limits: Limits,
        *,
        import_packs: bool,
        texts: Mapping[str, str] = {},
        actions: Sequence[Callable[..., object]] = (),
        around: Callable[[Catalog], Catalog] | None = None,
        named_limits: Sequence[NamedLimit] = (),
    ) -> None:
        self._texts = texts
        self._given = tuple(map(_given_action, actions))
        self._pack_folders = pack_folders
        self._limits = limits
        self._named_limits = named_limits
        self._import_packs = import_packs
        self._around = around
        self._root: Path | None = None  # the folder of the first workflow that was loaded
        self._registries: dict[Path | None, ActionRegistry] = {}
        self._specs: dict[Path, ActionSpec] = {}
        self._plans: dict[Path, Plan] = {}
        self.date_files: set[Path] = set()
        """The files of dates that schedules name, also those that can't be read."""

    def load(self, file: Path) -> Plan:
        """The plan of a file. Raises `DefinitionError`, `ActionLoadError` and `UsageError`."""
        key = file.resolve()
        if self._root is None:
            self._root = file.absolute().parent
        is_outermost = len(self._specs) == len(self._plans)
        if key not in self._specs:
            text = self._texts.get(str(file.absolute()))
            content = read_file(file, self._limits) if text is None else text.encode()
            definition = load(content, file=str(file), limits=self._limits)
            # Noted before it is compiled, so that it can name itself.
            self._specs[key] = self._spec(key, definition)
            self._plans[key] = self._compile(definition, file)
            if is_outermost:
                _require_ends(self._plans[key])
        return self._plans[key]

    def load_text(self, text: str | bytes, *, file: str = INLINE) -> Plan:
        """The plan of a workflow that has no file; messages call it `file`."""
        definition = load(text, file=file, limits=self._limits)
        plan = self._compile(definition, None)
        _require_ends(plan)
        return plan

    def catalog(self, file: Path | None) -> Catalog | None:
        """The actions that a workflow in this file can call, or None if packs aren't imported."""
        if not self._import_packs:
            return None
        folder = None if file is None else file.absolute().parent
        if folder not in self._registries:
            self._registries[folder] = load_actions(
                workflow_file=file,
                pack_folders=self._pack_folders,
                caller_folder=self._root,
                given=self._given,
            )
        catalog = WorkflowCatalog(self, self._registries[folder], folder or Path.cwd())
        return self._around(catalog) if self._around else catalog

    def spec(self, file: Path) -> ActionSpec:
        """A workflow as something to call."""
        key = file.resolve()
        if key not in self._specs:
            self.load(file)
        return self._specs[key]

    def _compile(self, definition: WorkflowDefinition, file: Path | None) -> Plan:
        folder = Path.cwd() if file is None else file.absolute().parent
        dates = Dates(folder, self._limits, self.date_files)
        plan = compile_plan(
            definition,
            self.catalog(file),
            limits=self._limits,
            named_limits=self._named_limits,
            read_dates=None if self._texts else dates.read,
        )
        return replace(plan, packs=tuple(str(each.absolute()) for each in self._pack_folders))

    def _spec(self, key: Path, definition: WorkflowDefinition) -> ActionSpec:
        return ActionSpec(
            name=definition.name,
            function=_uncallable,
            runs=Runs.ASYNC,
            fields={
                name: _field(definition.name, name, parameter)
                for name, parameter in definition.parameters.items()
            },
            doc=definition.description,
            source=definition.file,
            workflow=partial(self._plans.__getitem__, key),
        )


class WorkflowCatalog:
    """Actions and workflows by the names that one file may use; implements `ports.Catalog`."""

    def __init__(self, workflows: Workflows, actions: ActionRegistry, folder: Path) -> None:
        self._workflows = workflows
        self._actions = actions
        self._folder = folder

    def get(self, name: str) -> ActionSpec | None:
        """The action or workflow with this name or path, or None."""
        if is_path(name):
            return self._workflows.spec(self._folder / name)
        found = self._actions.get(name)
        if found is None and name in self._actions.workflows:
            return self._workflows.spec(self._actions.workflows[name])
        return found

    def names(self) -> Sequence[str]:
        """All names, sorted."""
        return sorted([*self._actions.names(), *self._actions.workflows])


def _require_ends(plan: Plan) -> None:
    """Raise `DefinitionError` if a workflow would wait for a slot of its own."""
    if problems := tuple(endless_waits(plan)):
        raise DefinitionError(problems)


def _given_action(function: Callable[..., object]) -> ActionSpec:
    """The action that a function is. Raises `ActionLoadError`."""
    spec = spec_of(function)
    if spec is None:
        name = getattr(function, "__name__", type(function).__name__)
        raise ActionLoadError(
            f'"{name}" is given as an action and isn\'t one.',
            hint='Write @fanwise.action("pack.name") above its def.',
        )
    return spec


def is_path(action: str) -> bool:
    """True if a task's `action` is the path of a workflow rather than a name."""
    return action.startswith((".", "/")) or action.endswith((".yaml", ".yml"))


def read_file(file: Path, limits: Limits) -> bytes:
    """A workflow's text. Raises `UsageError` if it can't be read."""
    try:
        if file.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        with file.open("rb") as stream:
            return stream.read(limits.definition_bytes + 1)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"{file}  can't be read: {cause}.", hint="Give the path of a workflow's file."
        ) from None


def _field(workflow: str, name: str, parameter: ParameterDefinition) -> ActionField:
    accepted = parameter.accepted
    check: Callable[[Any], Any] | None = None
    if accepted.words:
        check = partial(_check, f"{workflow}: {name} takes {accepted.words}.", accepted)
    return ActionField(
        name=name,
        required=parameter.required,
        accepts=accepted.words or "anything",
        check=check,
        default=parameter.default,
        doc=parameter.description,
    )


def _check(refusal: str, accepted: Accepted, value: object) -> Any:
    if not accepted.fits(value):
        raise InputError(refusal)
    return value


def _uncallable(**_: object) -> None:
    raise AssertionError("a workflow is run by the engine")
