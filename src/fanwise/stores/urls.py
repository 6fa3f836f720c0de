"""Stores by their URLs: `sqlite:///PATH` or just a path, `postgresql://HOST/DATABASE`, settings.

As usual in such URLs the path follows the third slash: `sqlite:///fanwise.db` is relative, and
`sqlite:////var/lib/fanwise.db` absolute. `?durability=full` survives a loss of power,
`?timeout=30s` waits so long for other processes. A URL of PostgreSQL is one of libpq, with that
`timeout`, and `?wait=5m` for a server that goes away. No message quotes a URL, since it may hold a
password.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import parse_qsl

from fanwise.errors import StoreError
from fanwise.model import StoreReport
from fanwise.stores.store import TIMEOUT_S, Durability, PostgresPlace, Store, Upgrade

_MOST_TIMEOUT_S = 86_400.0
_FORMS = "Use sqlite:///PATH or just the path of a file, or postgresql://HOST/DATABASE."
_SERVERS = ("http", "https")
_POSTGRES = ("postgresql", "postgres")


class StorePlace(NamedTuple):
    """The file that a URL names, what survives there, and how long to wait for others, in s."""

    path: str
    durability: Durability = "normal"
    timeout_s: float = TIMEOUT_S


def open_store(url: str, *, create: bool = True, read_only: bool = False) -> Store:
    """Open the store at `url`; with `create`, a new one is made if there is none.

    A `read_only` store must be there, and refuses to write. Raises `StoreError` if the URL isn't
    one of a store, or the store can't be opened.
    """
    place = parse(url)
    if isinstance(place, PostgresPlace):
        with _driver_imported():
            from fanwise.stores.postgres_database import open_postgres
        return open_postgres(place, create=create, read_only=read_only)

    from fanwise.stores.sqlite_database import open_sqlite

    return open_sqlite(
        place.path,
        durability=place.durability,
        create=create,
        read_only=read_only,
        timeout_s=place.timeout_s,
    )


def upgrade(url: str, *, keep_copy: bool = True) -> Upgrade:
    """Bring the store at `url` to this version's schema, if it has an older one.

    It happens as a whole or not at all, while no other process has the store open. With `keep_copy`
    a SQLite store as it was is copied first, into a file beside it. Raises `StoreError`.
    """
    place = parse(url)
    if isinstance(place, PostgresPlace):
        with _driver_imported():
            from fanwise.stores.postgres_upgrades import upgrade_postgres
        return upgrade_postgres(place)

    from fanwise.stores.upgrades import upgrade_sqlite

    return upgrade_sqlite(place.path, keep_copy=keep_copy)


def check(url: str) -> StoreReport:
    """Look for damage in the store at `url`, of whatever revision, and change nothing.

    Raises `StoreError` if there is no store, it can't be read, or a newer fanwise has made it.
    """
    place = parse(url)
    if isinstance(place, PostgresPlace):
        with _driver_imported():
            from fanwise.stores.postgres_database import check_postgres
        return check_postgres(place)

    from fanwise.stores.sqlite_database import check_sqlite

    return check_sqlite(place.path)


@contextmanager
def _driver_imported() -> Iterator[None]:
    """Import the driver of PostgreSQL within the block, or say how to install it.

    Nothing is collected meanwhile: of the many objects that an import makes all stay.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise StoreError(
            "a store on PostgreSQL needs its driver, which isn't installed.",
            hint="Install it: pip install 'fanwise[postgres]'",
        ) from error
    except ImportError as error:  # the driver without the library that it needs
        raise StoreError(
            "the driver of PostgreSQL can't be loaded.",
            hint="Install it with its library: pip install 'fanwise[postgres]'",
        ) from error
    finally:
        if collects:
            gc.enable()


def parse(url: str) -> StorePlace | PostgresPlace:
    """Return what `url` says. Raises `StoreError` if that can't be a store."""
    place, _, query = url.partition("?")
    scheme, separator, _ = place.partition("://")
    if separator and scheme in _POSTGRES:
        return _parse_postgres(place, query)
    if separator and scheme in _SERVERS:
        raise StoreError(
            "this works on a store itself, and the URL is that of a server.",
            hint="Name the store, on a machine that reaches it: --store URL",
        )
    if separator and scheme != "sqlite":
        raise StoreError(
            f"the store's URL begins with \"{scheme}://\", which no store's does.", hint=_FORMS
        )
    path = place.removeprefix("sqlite:///")
    if path in ("", ":memory:") or path.startswith("sqlite:"):
        raise StoreError("the store's URL names no file.", hint=_FORMS)
    found = StorePlace(path)
    for name, value in parse_qsl(query, keep_blank_values=True):
        timeout_s = _timeout_s(value) if name == "timeout" else None
        if name == "durability" and value in ("normal", "full"):
            found = found._replace(durability="full" if value == "full" else "normal")
        elif timeout_s is not None:
            found = found._replace(timeout_s=timeout_s)
        else:
            raise StoreError(
                f"the store's URL has an unknown setting \"{name}\", or a value it can't have.",
                hint="Use ?durability=normal, ?durability=full, or ?timeout=30s, a day at most.",
            )
    return found


def _parse_postgres(place: str, query: str) -> PostgresPlace:
    """Take the settings of a store out of a URL of libpq, and the password out of what is shown."""
    address, _, database = place.partition("://")[2].partition("/")
    user, at, hosts = address.rpartition("@")
    if "@" in database:
        raise StoreError(
            "the store's URL has a slash in its user or password.", hint="Write it as %2F."
        )
    if "@" in user:  # libpq would take what follows the first for a host, and quote it
        raise StoreError(
            "the store's URL has an @ in its user or password.", hint="Write it as %40."
        )
    own: dict[str, float] = {}
    others = []
    for part in filter(None, query.split("&")):
        name, _, text = part.partition("=")
        if name not in ("wait", "timeout"):
            others.append(part)
            continue
        seconds = _timeout_s(text)
        if seconds is None:
            raise StoreError(
                f"the store's URL has a setting \"{name}\" with a value it can't have.",
                hint=f"Use ?{name}=30s, a day at most.",
            )
        own[f"{name}_s"] = seconds
    host = next((part for part in others if part.startswith("host=") and not hosts), "")
    shown = f"postgresql://{user.partition(':')[0]}{at}{hosts}/{database}{host and '?' + host}"
    settings = f"?{'&'.join(others)}" if others else ""
    return PostgresPlace(f"postgresql://{address}/{database}{settings}", shown, **own)


def _timeout_s(text: str) -> float | None:
    """A duration in seconds, or None if the text isn't one, or one too long."""
    from fanwise.definition import parse_duration

    try:
        timeout_s = parse_duration(text)
    except ValueError:
        return None
    return timeout_s if timeout_s <= _MOST_TIMEOUT_S else None
