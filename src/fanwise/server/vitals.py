"""The state of a server for other programs: its metrics, and its readiness to serve."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import msgspec

from fanwise.model import Role
from fanwise.server.parts import Parts
from fanwise.server.readiness import Ready
from fanwise.server.routes import Answer, Call, Route, json_answer
from fanwise.telemetry.exposition import Levels, exposed

_MOST_READY: Final = 10_000

_SILENT_S: Final = 60.0


def get_metrics(call: Call) -> Answer:
    """Tell the metrics of this server and of its processes, as Prometheus reads them."""
    accept = call.request.headers.get("Accept", "")
    counts = call.parts.counts
    text, kind = exposed(counts.counts, lambda: _levels(call.parts), accept)
    return Answer(text, kind)


async def get_readiness(call: Call) -> Answer:
    """Tell whether the server can serve: its store answers and has room, and processes run."""
    parts = call.parts
    state = await parts.readiness.ask(parts.store, parts.counts)
    return json_answer(state, status=200 if state.ready else 503)


class Healthy(msgspec.Struct, frozen=True, kw_only=True):
    """The health of a server: whether the clock of its triggers has looked within a minute."""

    healthy: bool


async def get_health(call: Call) -> Answer:
    """Tell whether the clock of triggers goes, beside the answers."""
    is_well = call.parts.triggers_clock.silent_s <= _SILENT_S
    return json_answer(Healthy(healthy=is_well), status=200 if is_well else 503)


def _levels(parts: Parts) -> Levels:
    size = parts.store.size()
    return {
        **parts.counts.levels(),
        ("fanwise_build_info", (version("fanwise"),)): 1.0,
        ("fanwise_runs_ready", ()): parts.store.count_ready(_MOST_READY),
        ("fanwise_engines", ()): len(parts.store.engines()),
        ("fanwise_store_bytes", ("total",)): size.total_bytes,
        ("fanwise_store_bytes", ("free",)): size.free_bytes,
    }


ROUTES: Final = (
    Route(method="GET", path="/metrics", handler=get_metrics, role=Role.READ, sees_all=True),
    Route(
        method="GET",
        path="/healthz",
        handler=get_health,
        is_open="A supervisor asks it, which has no token; it tells yes or no.",
        answer=Healthy,
        is_probe=True,
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=get_readiness,
        is_open="A supervisor asks it, which has no token; it tells one of five words.",
        answer=Ready,
        is_probe=True,
    ),
)
