"""Stores, in which runs are recorded: the ports of `fanwise.ports.store` over a database.

`open_store` opens the store that a URL names. Only `upgrade` imports SQLAlchemy and Alembic: so a
run starts quickly.
"""

from fanwise.stores.store import Store, StoreReport, Upgrade
from fanwise.stores.urls import check, open_store, upgrade

__all__ = ["Store", "StoreReport", "Upgrade", "check", "open_store", "upgrade"]
