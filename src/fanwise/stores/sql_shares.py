"""The port `Shares` over a database: named limits, leased in shares to the engines of a store.

The row of a limit in `paces` is locked first, so that no two engines get the same slot or start.
A share that its engine hasn't renewed for `SHARE_S` seconds of the database's clock is free again,
unless the database hasn't been there for so long: no engine can renew while a server is restarted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fanwise.admission import divided
from fanwise.model import SHARE_S, Share, ShareUse, ShareWish
from fanwise.stores.database import Database, Writer
from fanwise.stores.rows import SqlValue

_LOCK: Final = (
    "INSERT INTO paces (name, due_at) VALUES (:name, 0.0)"
    " ON CONFLICT (name) DO UPDATE SET due_at = paces.due_at RETURNING due_at, fanwise_now()"
)
_RESERVE: Final = "UPDATE paces SET due_at = :due_at WHERE name = :name"
_FORGET: Final = (
    f"DELETE FROM shares WHERE name = :name AND seen_at < fanwise_now() - {SHARE_S}"
    f" AND fanwise_up_since() < fanwise_now() - {SHARE_S}"
)
_OTHERS: Final = (
    "SELECT engine_no, slots, wants FROM shares WHERE name = :name AND engine_no != :engine_no"
)
_LEASE: Final = (
    "INSERT INTO shares (name, engine_no, slots, running, wants, most, seen_at)"
    " VALUES (:name, :engine_no, :slots, :running, :wants, :most, fanwise_now())"
    " ON CONFLICT (name, engine_no) DO UPDATE SET slots = excluded.slots,"
    " running = excluded.running, wants = excluded.wants, most = excluded.most,"
    " seen_at = excluded.seen_at"
)
_GIVE_BACK: Final = "DELETE FROM shares WHERE name = :name AND engine_no = :engine_no"
_GIVE_ALL_BACK: Final = "DELETE FROM shares WHERE engine_no = :engine_no"
_USES: Final = (
    "SELECT name, engine_no, slots, running, wants, most FROM shares"
    f" WHERE seen_at >= fanwise_now() - {SHARE_S} ORDER BY name, engine_no"
)


class SqlShares:
    """The port `Shares` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def exchange(self, engine_no: int, wishes: Sequence[ShareWish]) -> Mapping[str, Share]:
        """Renew an engine's shares by its wishes; see `Shares.exchange`."""
        in_order = sorted(wishes, key=lambda wish: wish.name)

        def renew(writer: Writer) -> dict[str, Share]:
            return {wish.name: _renew(writer, engine_no, wish) for wish in in_order}

        return self._database.controlling(renew)

    def give_back(self, engine_no: int) -> None:
        """Free all shares of an engine; see `Shares.give_back`."""
        self._database.controlling(
            lambda writer: writer.execute(_GIVE_ALL_BACK, engine_no=engine_no)
        )

    def shares(self) -> Sequence[ShareUse]:
        """Return the shares of all engines; see `Shares.shares`."""
        return [ShareUse(*row) for row in self._database.read(_USES)]


def _renew(writer: Writer, engine_no: int, wish: ShareWish) -> Share:
    name = wish.name
    ((due_at, now),) = writer.read(_LOCK, name=name)
    writer.execute(_FORGET, name=name)
    own: dict[str, SqlValue] = {"name": name, "engine_no": engine_no}
    slots = target = 0
    if wish.most is not None:
        others = {number: (held, wants) for number, held, wants in writer.read(_OTHERS, **own)}
        wanted = {number: wants for number, (_, wants) in others.items()}
        target = divided(wish.most, {**wanted, engine_no: wish.wants})[engine_no]
        left = wish.most - sum(held for held, _ in others.values())
        slots = max(wish.holds, min(target, left))
    if slots or wish.wants:
        writer.execute(
            _LEASE, slots=slots, running=wish.running, wants=wish.wants, most=wish.most, **own
        )
    else:
        writer.execute(_GIVE_BACK, **own)
    if not wish.starts or wish.per_s is None:
        return Share(slots, target)
    first_at = max(due_at, now)
    writer.execute(_RESERVE, name=name, due_at=first_at + wish.starts / wish.per_s)
    return Share(slots, target, first_at - now, wish.starts)
