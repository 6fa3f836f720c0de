"""Sweeping up what deleted runs have left, bit by bit and beside the answers."""

from __future__ import annotations

import logging
import threading

from fanwise.errors import StoreError
from fanwise.ports import Maintenance

_log = logging.getLogger(__name__)


class Sweeper:
    """Deletes the rows of deleted runs on a thread of its own, one sweep at a time."""

    def __init__(self, store: Maintenance) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._sweeps = False
        self._again = False

    def wake(self) -> None:
        """Sweep now, or once more after the present sweep."""
        with self._lock:
            self._again = True
            if self._sweeps:
                return
            self._sweeps = True
        threading.Thread(target=self._sweep, name="fanwise-sweeper", daemon=True).start()

    def _sweep(self) -> None:
        while self._is_wanted():
            try:
                for _ in self._store.delete_orphans():
                    pass
            except StoreError as error:  # the next sweep, or `fanwise prune`, does the rest
                _log.warning("what deleted runs have left isn't swept up: %s", error)

    def _is_wanted(self) -> bool:
        with self._lock:
            self._sweeps, self._again = self._again, False
            return self._sweeps
