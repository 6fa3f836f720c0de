"""Changes of many runs: those that a server is making, each on a thread, and the latest ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from fanwise.server.problems import Problem, Refusal
from fanwise.wiring import new_token

_MOST_AT_ONCE: Final = 4
_MOST_KEPT: Final = 100
_MOST_TOLD: Final = 1_000


class Bulk:
    """A change of so many runs in progress. `refused` has the first that weren't changed."""

    def __init__(self, token_id: str, action: str, runs: int) -> None:
        self.token_id = token_id
        self.id = new_token(20)
        self.action = action
        self.runs = runs
        self.done = 0
        self.refused: list[tuple[str, Problem]] = []
        self.refusals = 0
        self.is_over = False

    def refuse(self, run_id: str, problem: Problem) -> None:
        """Note that a run wasn't changed."""
        self.refusals += 1
        if len(self.refused) < _MOST_TOLD:
            self.refused.append((run_id, problem))


class Bulks:
    """The changes of many runs that a server makes, and the latest that it has made."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Bulk] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, bulk: Bulk, work: Callable[[], None]) -> None:
        """Do the work of a change on a thread of its own. Raises `Refusal` for too many."""
        with self._lock:
            if sum(not each.is_over for each in self._known.values()) >= _MOST_AT_ONCE:
                raise Refusal(429, "too-many", "Other changes of many runs are being made.")
            self._known[bulk.id] = bulk
            if len(self._known) > _MOST_KEPT:
                del self._known[next(each.id for each in self._known.values() if each.is_over)]
        threading.Thread(target=work, name="fanwise-bulk", daemon=True).start()

    def find(self, bulk_id: str, token_id: str) -> Bulk:
        """Return a change that a token has asked for. Raises `Refusal`."""
        found = self._known.get(bulk_id)
        if found is None or found.token_id != token_id:
            raise Refusal(404, "not-found", "This server knows no such change of this token.")
        return found
