"""The actions that one run or one command can call.

Packs that are installed are imported when one of their names is first asked for, so a pack that is
broken harms only the workflows that use it. The registry imports nothing itself: it is given specs,
and functions that load them. Two registries share nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fanwise.catalog import ActionSpec
from fanwise.errors import ActionLoadError

CORE = "core"
"""The pack that comes with fanwise; nobody else's actions may be called `core.something`."""

Load = Callable[[], Iterable[ActionSpec]]


class ActionRegistry:
    """A catalog of actions: implements `fanwise.ports.Catalog`."""

    def __init__(self) -> None:
        self.workflows: dict[str, Path] = {}
        """The files of the workflows that packs hold, by name."""
        self._specs: dict[str, ActionSpec] = {}
        self._unloaded: dict[str, Load] = {}
        self._broken: dict[str, ActionLoadError] = {}

    def add(self, spec: ActionSpec) -> None:
        """Take in an action. Raises `ActionLoadError` if its name is taken or reserved."""
        if spec.name.partition(".")[0] == CORE:
            raise ActionLoadError(
                f'{spec.source}  action "{spec.name}" has a name of the core pack.',
                hint="Begin the name with a pack of your own.",
            )
        self._put(spec)

    def add_pack(self, name: str, load: Load) -> None:
        """Take in a pack whose actions are all called `name.something`.

        `load` is called once, when one of these names is first asked for. If two packages have a
        pack of this name, neither can be used.
        """
        if name in self._unloaded:
            self._broken[name] = ActionLoadError(
                f'two installed packages have a pack "{name}".', hint="Uninstall one of them."
            )
        self._unloaded[name] = load

    def get(self, name: str) -> ActionSpec | None:
        """The action with this name, or None.

        Raises `ActionLoadError` if the name belongs to an installed pack that can't be loaded.
        """
        for pack in _prefixes(name):
            self._load(pack)
            if pack in self._broken:
                raise self._broken[pack]
        return self._specs.get(name)

    def names(self) -> Sequence[str]:
        """All names, sorted; those of packs that can't be loaded are missing."""
        for pack in tuple(self._unloaded):
            self._load(pack)
        return sorted(self._specs)

    def _load(self, pack: str) -> None:
        load = self._unloaded.pop(pack, None)
        if load is None or pack in self._broken:
            return
        try:
            for spec in load():
                if pack not in _prefixes(spec.name):
                    raise ActionLoadError(
                        f'{spec.source}  action "{spec.name}" is in the installed pack "{pack}", '
                        "but not named after it.",
                        hint=f'Call it "{pack}.{spec.name.rpartition(".")[2]}".',
                    )
                self._put(spec)
        except ActionLoadError as error:
            self._broken[pack] = error

    def _put(self, spec: ActionSpec) -> None:
        known = self._specs.setdefault(spec.name, spec)
        # A module that imports another's action holds it too, and a module may be imported twice,
        # by a script and as a pack: neither makes a second action.
        if known.function is not spec.function and known.source != spec.source:
            raise ActionLoadError(
                f'{spec.source}  action "{spec.name}" is defined in {known.source} too.',
                hint="Rename one of them.",
            )


def _prefixes(name: str) -> list[str]:
    """The parts before each dot: `a`, `a.b` of `a.b.c`."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]
