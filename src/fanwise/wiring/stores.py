"""Stores that settings name, opened for what a face does with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from fanwise.errors import (
    NoStoreError,
)

if TYPE_CHECKING:
    from fanwise.model import ItemOutcome, Run, StoreReport, TriggerState
    from fanwise.reports.ownership import Runs
    from fanwise.stores import Store, Upgrade

from fanwise.wiring.settings import Settings


def open_records(settings: Settings) -> Store:
    """The store for reading, to be used as a block. Raises `StoreError` if there is none."""
    from fanwise.stores import open_store

    return open_store(settings.store, read_only=True)


def open_existing(settings: Settings) -> Store:
    """The store for changing it, to be used as a block. Raises `StoreError` if there is none."""
    from fanwise.stores import open_store

    return open_store(settings.store, create=False)


def open_or_make(settings: Settings) -> Store:
    """The store for changing it, to be used as a block; made if there is none."""
    from fanwise.stores import open_store

    return open_store(settings.store)


def detached(run: Run, settings: Settings) -> Run:
    """The run of an engine whose store is closed by now: its failed items open it to be read."""
    from fanwise.engine.failures import FailedItems, read_failed

    def read(run_no: int, visit_no: int, after: int) -> Sequence[ItemOutcome]:
        with open_records(settings) as records:
            return read_failed(records, run_no, visit_no, after)

    tasks = {
        name: msgspec.structs.replace(task, failures=task.failures.reading(read))
        if isinstance(task.failures, FailedItems)
        else task
        for name, task in run.tasks.items()
    }
    return msgspec.structs.replace(run, tasks=tasks)


def runs_of(store: Store) -> Runs:
    """The runs of an open store, with the state of the processes that drive them."""
    from fanwise.reports.ownership import Runs
    from fanwise.system import SystemProcesses

    return Runs(store, store, store, store, SystemProcesses())


def check_store(settings: Settings) -> StoreReport:
    """Check the store for damage; see `fanwise.stores.check`."""
    from fanwise.stores import check

    return check(settings.store)


def upgrade_store(settings: Settings, *, keep_copy: bool = True) -> Upgrade:
    """Bring the store to this version's schema; see `fanwise.stores.upgrade`."""
    from fanwise.stores import upgrade

    return upgrade(settings.store, keep_copy=keep_copy)


def trigger_states(settings: Settings) -> Mapping[tuple[str, str], TriggerState]:
    """The triggers that the store knows by workflow and name; none if there is no store."""
    from fanwise.triggers.skips import with_skips

    try:
        with open_records(settings) as records:
            _, found = records.triggers()
            states = [with_skips(state, records.fires) for state in found]
    except NoStoreError:
        return {}
    return {(state.workflow, state.name): state for state in states}
