"""A schedule as data: when something fires, by its nominal time."""

from __future__ import annotations

import msgspec


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Times at which a trigger fires: by exactly one of `cron`, `every_s` and `at`.

    `cron` has expressions, whose union it is. `every_s` ticks from 1970-01-01T00:00Z on, plus
    `offset_s`. `at` has instants, sorted, each once. `start` is the first instant that counts, and
    `until` the first that doesn't. There are no fires on the local dates of `except_dates`
    (`2026-12-25`) and `except_days`, which are cron expressions of whole days, nor on those of
    `except_listed`, which stand elsewhere and may change: a schedule stays the same then. Up to
    `jitter_s` is added to each nominal time. Instants are seconds since 1970.
    """

    cron: tuple[str, ...] = ()
    every_s: int = 0
    offset_s: int = 0
    at: tuple[int, ...] = ()
    timezone: str = "UTC"
    start: int | None = None
    until: int | None = None
    except_dates: tuple[str, ...] = ()
    except_days: tuple[str, ...] = ()
    except_listed: tuple[str, ...] = ()
    jitter_s: float = 0.0
