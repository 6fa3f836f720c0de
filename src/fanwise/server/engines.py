"""Engines, limits across runs, and the store itself."""

from __future__ import annotations

from typing import Final

from fanwise.model import Role
from fanwise.reports.limits import limits_in_use, named_limits_in_use
from fanwise.reports.objects import engine_object, limit_object, named_limit_object
from fanwise.server.project_views import EngineList, LimitList, StoreView
from fanwise.server.routes import Answer, Call, Route, json_answer


def list_engines(call: Call) -> Answer:
    """List the processes that drive runs, or wait for some."""
    shown = [engine_object(each) for each in call.parts.store.engines()]
    return json_answer({"engines": shown})


def list_limits(call: Call) -> Answer:
    """List the limits across runs that are in use, and who has their slots."""
    store = call.parts.store
    return json_answer(
        {
            "runs": [limit_object(each) for each in limits_in_use(store, call.parts.runs)],
            "attempts": [named_limit_object(each) for each in named_limits_in_use(store)],
        }
    )


def get_store(call: Call) -> Answer:
    """Tell where the store is, and how large."""
    size = call.parts.store.size()
    return json_answer(
        {
            "place": call.parts.store.place,
            "total_bytes": size.total_bytes,
            "free_bytes": size.free_bytes,
        }
    )


# These tell of the runs of all workflows, so those who may see a part of them don't get them.
ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/engines",
        handler=list_engines,
        role=Role.READ,
        answer=EngineList,
        sees_all=True,
    ),
    Route(
        method="GET",
        path="/api/v1/limits",
        handler=list_limits,
        role=Role.READ,
        answer=LimitList,
        sees_all=True,
    ),
    Route(
        method="GET",
        path="/api/v1/store",
        handler=get_store,
        role=Role.READ,
        answer=StoreView,
    ),
)
