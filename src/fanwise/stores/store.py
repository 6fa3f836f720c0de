"""The interface and the reports of every store."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol, Self

import msgspec

from fanwise.ports import (
    Access,
    Arrivals,
    Changes,
    Endings,
    Fires,
    Journal,
    KeyValues,
    Mailbox,
    Maintenance,
    Ownership,
    Queue,
    Records,
    RunSlots,
    Shares,
    Waits,
)

TIMEOUT_S: Final = 10.0
"""The time that operations wait for a store that another process keeps locked."""

WAIT_S: Final = 30.0
"""The time that a server is waited for that has gone away while a store is in use."""

Durability = Literal["off", "normal", "full"]
"""The survival of commits: `normal` survives the end of the process, `full` also a loss of power.

After a loss of power a store with `off`, which is for tests, may be damaged.
"""


class PostgresPlace(NamedTuple):
    """A database on a server: how to connect, and how it is called without any password.

    Operations wait `wait_s` for a server that has gone away, and `timeout_s` for other sessions.
    """

    conninfo: str
    shown: str
    wait_s: float = WAIT_S
    timeout_s: float = TIMEOUT_S

    @property
    def limits_locks(self) -> str:
        """The statement by which the rest of its transaction waits so long for other sessions."""
        # The least wait stands for none, since 0 is no limit to PostgreSQL.
        return f"SET LOCAL lock_timeout = {max(1, round(self.timeout_s * 1_000))}"


class Upgrade(msgspec.Struct, frozen=True):
    """From which revision to which a store was upgraded, and where the copy of the old one is.

    If there was nothing to do, both revisions are the same.
    """

    before: str
    after: str
    copy: Path | None


class Store(
    Journal,
    Records,
    Changes,
    Ownership,
    Mailbox,
    Queue,
    RunSlots,
    Shares,
    Waits,
    Fires,
    Arrivals,
    Access,
    KeyValues,
    Endings,
    Maintenance,
    Protocol,
):
    """A store writes and reads, and is closed at the end of a `with` block."""

    def close(self) -> None:
        """Close the store, which then raises `StoreError`. Closing it again does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
