"""Where runs are recorded: stores behind the ports `Journal` and `Records`.

`open_store` opens the store that a URL names. Importing this package imports neither SQLAlchemy nor
Alembic; opening a store imports the first, upgrading one both.
"""

from weft.stores.store import Store
from weft.stores.urls import open_store, upgrade

__all__ = ["Store", "open_store", "upgrade"]
