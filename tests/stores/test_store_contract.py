"""Every store keeps the contract, and so does every wrapper that lets everything pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fanwise.stores import Store
from fanwise.stores.sqlite_database import open_sqlite
from fanwise.testing.access_contract import AccessContract
from fanwise.testing.answers_contract import AnswersContract
from fanwise.testing.arrivals_contract import ArrivalsContract
from fanwise.testing.endings_contract import EndingsContract
from fanwise.testing.fires_contract import FiresContract
from fanwise.testing.kv_contract import KvContract
from fanwise.testing.maintenance_contract import MaintenanceContract
from fanwise.testing.orders_contract import OrdersContract
from fanwise.testing.ownership_contract import OwnershipContract
from fanwise.testing.queue_contract import QueueContract
from fanwise.testing.shares_contract import SharesContract
from fanwise.testing.slots_contract import SlotsContract
from fanwise.testing.store_contract import StoreContract
from fanwise.testing.stores import FailingStore, GatedStore, MemoryStore, RefusingStore
from fanwise.testing.tiles_contract import TilesContract
from fanwise.testing.waits_contract import WaitsContract


class AllContracts(
    OwnershipContract,
    QueueContract,
    OrdersContract,
    SlotsContract,
    SharesContract,
    WaitsContract,
    AnswersContract,
    TilesContract,
    FiresContract,
    ArrivalsContract,
    AccessContract,
    KvContract,
    EndingsContract,
    MaintenanceContract,
    StoreContract,
):
    """The promises of all ports."""


class TestSqliteStore(AllContracts):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return open_sqlite(folder / "fanwise.db", now=now)


class TestFullyDurableSqliteStore(AllContracts):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return open_sqlite(folder / "fanwise.db", durability="full", now=now)


class TestPostgresStore(AllContracts):
    @pytest.fixture(autouse=True)
    def _opens(self, postgres_store: Callable[..., Store]) -> None:
        self._open = postgres_store

    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return self._open(now)


class TestMemoryStore(AllContracts):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MemoryStore(now)


class TestWrappedStore(AllContracts):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        gated = GatedStore(MemoryStore(now))
        gated.open()
        return RefusingStore(FailingStore(gated, at=10**9), lambda record: False)
