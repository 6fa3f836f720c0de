"""Where runs are recorded: stores behind the ports `Journal`, `Records` and `Maintenance`.

`open_store` opens the store that a URL names. Importing this package imports neither SQLAlchemy nor
Alembic; opening a store imports the first, upgrading one both.
"""

from fanwise.stores.store import Store, Upgrade
from fanwise.stores.urls import check, open_store, upgrade

__all__ = ["Store", "Upgrade", "check", "open_store", "upgrade"]
