"""Finding actions: in installed packages, in pack folders, and beside the workflow.

Loading runs the authors' modules, so a workflow's folder is to be trusted as a Makefile is. An
installed pack is an entry point of the group `fanwise.packs`: `acme = "acme.fanwise_actions"` names
a module whose actions are all called `acme.something`; it is imported when one of them is asked
for.

Nothing is kept between calls: loading again gives the code as it is then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

from msgspec.structs import replace

from fanwise.actions.decorator import spec_of
from fanwise.catalog import ActionSpec
from fanwise.errors import ActionLoadError
from fanwise.packs.modules import PackFolder, import_module
from fanwise.packs.registry import CORE, ActionRegistry

GROUP = "fanwise.packs"
"""The entry point group of installed packs."""

_ACTIONS = "actions"
_CORE_MODULE = "fanwise.actions.core"


def load_actions(
    *,
    workflow_file: Path | None = None,
    pack_folders: Sequence[Path] = (),
    caller_folder: Path | None = None,
    given: Iterable[ActionSpec] = (),
) -> ActionRegistry:
    """Load all actions that a workflow can call.

    A pack is a folder with an `actions.py`, or else with any Python files; each of `pack_folders`
    is a pack or holds packs. Beside the workflow, the packs in `packs/` and the file `actions.py`
    are loaded, and of the workflow that calls this one, which is in `caller_folder`, the packs in
    `packs/`. `given` are actions beside those. Raises `ActionLoadError` for a module that can't be
    imported, a name that is taken, and a folder of `pack_folders` without a pack.
    """
    registry = ActionRegistry()
    _add_installed(registry)
    for spec in given:
        registry.add(spec)
    packs: list[Path] = []
    for folder in pack_folders:
        try:
            found = _packs_in(folder.absolute())
            what = "holds no pack" if folder.is_dir() else "is not a folder"
        except OSError as error:
            found, what = [], f"can't be read: {error.strerror}"
        if not found:
            raise ActionLoadError(
                f"{folder}  {what}.",
                hint="Name a folder with an actions.py, or one that holds such folders.",
            )
        packs += found
    home = None if workflow_file is None else workflow_file.absolute().parent
    for place in (caller_folder, home):
        if place is not None:
            packs += _packs_in(place / "packs")
    # A folder may be met in several ways, and the workflow may lie in a pack itself.
    distinct = dict.fromkeys(pack.resolve() for pack in packs)
    for pack in distinct:
        _add_pack(registry, pack)
        _add_workflows(registry, pack)
    if home is not None and _has_actions_file(home) and home.resolve() not in distinct:
        _add_pack(registry, home)
    return registry


def _add_installed(registry: ActionRegistry) -> None:
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=GROUP):
        # Nobody else can take the core pack's place: what claims its name is passed over.
        if entry_point.name != CORE or entry_point.value == _CORE_MODULE:
            load = partial(_installed_actions, entry_point.name, entry_point.module)
            registry.add_pack(entry_point.name, load)


def _installed_actions(pack: str, module: str) -> Iterator[ActionSpec]:
    return _actions_in(import_module(module, f'installed pack "{pack}"'), module)


def actions_of(pack: str) -> Iterator[ActionSpec]:
    """The actions of a pack, by its folder's absolute path or its module, as `ActionSpec.pack`.

    Raises `ActionLoadError`.
    """
    if Path(pack).is_absolute():
        return _actions_of_folder(Path(pack))
    return _installed_actions(pack, pack)


def _add_pack(registry: ActionRegistry, pack: Path) -> None:
    for spec in _actions_of_folder(pack):
        registry.add(spec)


def _actions_of_folder(pack: Path) -> Iterator[ActionSpec]:
    folder = PackFolder(pack)
    for name in [_ACTIONS] if _has_actions_file(pack) else _modules_in(pack):
        yield from _actions_in(folder.load(name), str(pack.absolute()))


def _add_workflows(registry: ActionRegistry, pack: Path) -> None:
    """A pack's `name.yaml` is the workflow `pack.name`."""
    for file in sorted([*pack.glob("*.yaml"), *pack.glob("*.yml")]):
        registry.workflows.setdefault(f"{pack.name}.{file.stem}", file)


def _packs_in(folder: Path) -> list[Path]:
    """The packs that a folder holds, or the folder itself if it is one."""
    if not folder.is_dir():
        return []
    if _has_actions_file(folder):
        return [folder]
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and _modules_in(path)]
    return inside or ([folder] if _modules_in(folder) else [])


def _modules_in(pack: Path) -> list[str]:
    """The names of a pack's Python files, without the private ones."""
    stems = (path.stem for path in sorted(pack.glob("*.py")))
    return [stem for stem in stems if not stem.startswith("_") and "." not in stem]


def _has_actions_file(folder: Path) -> bool:
    return (folder / f"{_ACTIONS}.py").is_file()


def _actions_in(module: ModuleType, pack: str) -> Iterator[ActionSpec]:
    for value in vars(module).values():
        spec = spec_of(value)
        if spec is not None:
            yield replace(spec, pack=pack)
