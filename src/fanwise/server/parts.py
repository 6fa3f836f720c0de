"""The parts of fanwise that handlers work with: the store, the project, settings and a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from fanwise.ports import (
    Access,
    Arrivals,
    Changes,
    Fires,
    Mailbox,
    Maintenance,
    Ownership,
    Queue,
    Records,
    RunSlots,
    Shares,
    Waits,
)
from fanwise.reports.ownership import Runs

if TYPE_CHECKING:
    from asyncio import Lock

    from fanwise.engine.triggered import TriggeredRuns
    from fanwise.ports import Clock
    from fanwise.server.bulk_changes import Bulks
    from fanwise.server.identity import Identity
    from fanwise.server.looks import Looks
    from fanwise.server.open_streams import OpenStreams
    from fanwise.server.readiness import Readiness
    from fanwise.server.sites import Site
    from fanwise.server.sweeping import Sweeper
    from fanwise.server.watch import Watch
    from fanwise.service.clock import TriggerClock
    from fanwise.service.projects import WatchedProject
    from fanwise.telemetry.log_lines import LogLines
    from fanwise.telemetry.serving import ServerCounts
    from fanwise.wiring import Settings


QUERY_S: Final = 5.0
"""The time after which a query of a request is broken off."""


class ServedStore(
    Records,
    Ownership,
    Mailbox,
    Queue,
    RunSlots,
    Shares,
    Waits,
    Fires,
    Arrivals,
    Access,
    Changes,
    Maintenance,
    Protocol,
):
    """A store as handlers use it. Its methods block; any thread may call them."""


class Parts(NamedTuple):
    """Everything that a handler needs. Several threads use it at once.

    `runs` are the store's, with the state of the processes that drive them. `project` has the
    workflows and triggers of the folder that is served, as its files were when they were last
    right, and `make_runs` makes their runs. `api` gives the document of the API. `watch` is
    the one over runs that streams look at, by `looks` that they share. Each answer is counted in
    `counts`, and is a line of `access_log` if there is one. A query of a request may take
    `query_s`. With `takes_definitions` administrators give texts of workflows that are run.
    Who holds `validating` may check one.
    """

    store: ServedStore
    runs: Runs
    project: WatchedProject
    make_runs: TriggeredRuns
    settings: Settings
    site: Site
    identity: Identity
    sweeper: Sweeper
    watch: Watch
    looks: Looks
    api: Callable[[], Mapping[str, object]]
    clock: Clock
    counts: ServerCounts
    readiness: Readiness
    open_streams: OpenStreams
    bulks: Bulks
    triggers_clock: TriggerClock
    validating: Lock
    access_log: LogLines | None = None
    query_s: float = QUERY_S
    takes_definitions: bool = False
