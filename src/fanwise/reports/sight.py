"""The runs of a store as one reader sees them: the only way of questions to what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from fanwise.errors import UsageError
from fanwise.model import Limits, RunRecord
from fanwise.ports import Changes, Maintenance, Records, RunSlots, Shares, Waits
from fanwise.reports.lookup import find_run
from fanwise.reports.ownership import Runs


class ReportedStore(Records, Waits, RunSlots, Shares, Changes, Maintenance, Protocol):
    """A store as reports read it."""


class Sight(NamedTuple):
    """A store and its `runs` at the time `now`, for a person or a token by the name `reader`.

    `sees` tells the workflows that the reader may see; None is all. `limits` bound the workflows
    that are read.
    """

    store: ReportedStore
    runs: Runs
    limits: Limits
    now: float
    reader: str
    sees: Callable[[str], bool] | None = None

    def find(self, run_id: str) -> RunRecord:
        """Return the run with this id, or the run whose id begins so; see `find_run`."""
        return find_run(self.store, run_id, self.sees)

    def require_all(self) -> None:
        """Raise `UsageError` for a reader who may see some workflows only."""
        if self.sees is not None:
            raise UsageError(
                "this tells of all workflows, and the token sees some.",
                hint="Ask with another token.",
            )
