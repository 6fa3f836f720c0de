"""The inputs of items of recorded runs, rendered again on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from fanwise.ports import Arrivals, Records
from fanwise.wiring.plans import load_called, load_recorded
from fanwise.wiring.settings import Settings

if TYPE_CHECKING:
    from fanwise.model import ItemOutcome, RunRecord, VisitRecord

SEARCH_S: Final = 5.0
"""The time that an item is looked for in its source."""


class RecordedStore(Records, Arrivals, Protocol):
    """A store as recorded runs are read from it."""


class _Hidden:
    """Secrets that are all `***`, while the values of this machine's are masked as well."""

    def __init__(self, values: Sequence[str]) -> None:
        self._values = values

    def get(self, name: str) -> str:
        from fanwise.engine.masking import MASK

        return MASK

    def values(self) -> Sequence[str]:
        return self._values


def read_input(
    store: RecordedStore,
    record: RunRecord,
    settings: Settings,
    visit: VisitRecord,
    item: ItemOutcome,
) -> object:
    """The values of the input of an item by their names, with `***` for each secret. May block.

    No author's code is run. Raises `UsageError` for an input that can't be known,
    `SourceChangedError`, and what `load_recorded` raises.
    """
    from fanwise import sources
    from fanwise.engine.recovery.inputs import InputReader
    from fanwise.engine.run_factory import RunFactory
    from fanwise.system import EnvironmentSecrets, SystemChance, SystemClock

    hidden = _Hidden(EnvironmentSecrets(settings.environment).values())
    plan = load_recorded(record, settings, import_packs=False)
    given = {
        name: hidden.get(name)
        for name, parameter in plan.parameters.items()
        if parameter.secret and name in record.origin.given
    }
    prepared = RunFactory(SystemClock(), SystemChance(), hidden, store).recorded(
        plan, record, given
    )
    called = partial(load_called, record, settings)
    reader = InputReader(prepared, called, store, sources, settings.limits, SEARCH_S)
    return reader.read(visit, item)
