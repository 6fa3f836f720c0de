"""Every store keeps the contract, and so does every wrapper that lets everything pass."""

from __future__ import annotations

from pathlib import Path

from fanwise.stores import Store, open_store
from fanwise.testing.control_contract import ControlContract
from fanwise.testing.maintenance_contract import MaintenanceContract
from fanwise.testing.store_contract import StoreContract
from fanwise.testing.stores import FailingStore, GatedStore, MemoryStore, RefusingStore


class TestSqliteStore(ControlContract, MaintenanceContract, StoreContract):
    def open(self, folder: Path) -> Store:
        return open_store(f"sqlite:///{folder}/fanwise.db")


class TestFullyDurableSqliteStore(ControlContract, MaintenanceContract, StoreContract):
    def open(self, folder: Path) -> Store:
        return open_store(f"sqlite:///{folder}/fanwise.db?durability=full")


class TestMemoryStore(ControlContract, MaintenanceContract, StoreContract):
    def open(self, folder: Path) -> Store:
        return MemoryStore()


class TestWrappedStore(ControlContract, MaintenanceContract, StoreContract):
    def open(self, folder: Path) -> Store:
        gated = GatedStore(MemoryStore())
        gated.open()
        return RefusingStore(FailingStore(gated, at=10**9), lambda record: False)
