"""Finding actions by reference, as a worker does that has nothing but names.

Functions of a pack's folder live in a module whose name is different in each process, so neither a
pickled function nor a module's name finds them elsewhere. A reference names the folder; each
process imports it for itself. Code is never sent: a worker runs the files that it has.
"""

from __future__ import annotations

from fanwise.catalog import ActionRef, ActionSpec
from fanwise.errors import ActionLoadError
from fanwise.packs.folders import actions_of


class ActionLoader:
    """Finds actions by reference.

    A pack is imported once, and again when other code of it is asked for, as after an edit.
    """

    def __init__(self) -> None:
        self._packs: dict[str, dict[str, ActionSpec]] = {}

    def find(self, reference: ActionRef) -> ActionSpec:
        """The action. Raises `ActionLoadError` if it isn't there, or has other code here."""
        found = self._packs.get(reference.pack, {}).get(reference.name)
        if found is None or found.digest != reference.digest:
            self._packs[reference.pack] = {spec.name: spec for spec in actions_of(reference.pack)}
            found = self._packs[reference.pack].get(reference.name)
        if found is None:
            raise ActionLoadError(
                f'{reference.pack}  the pack has no action "{reference.name}" here.',
                hint="Install the same packs wherever actions run.",
            )
        if found.digest != reference.digest:
            raise ActionLoadError(
                f'{found.source}  action "{found.name}" has other code here than in the process '
                "that drives the run.",
                hint="Install the same packs wherever actions run, and start its workers again.",
            )
        return found
