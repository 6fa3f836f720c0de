"""fanwise: a durable workflow engine whose fan-out costs 40 bytes of context an item.

The public names, and nothing else. They are imported when they are first used, so `import fanwise`
costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanwise.actions.decorator import action
    from fanwise.catalog import ActionContext
    from fanwise.context import ItemContext, WorkflowContext
    from fanwise.engine import Engine
    from fanwise.errors import ActionError, FanwiseError
    from fanwise.model import ErrorInfo, ItemCounts, Limits, Run, Status, TaskSummary
    from fanwise.ports.observer import Observer
    from fanwise.values import thaw
    from fanwise.wiring import aresume, aretry, arun, load_plan, open_engine, resume, retry, run

__version__ = "0.2.0"

_HOMES = {
    "ActionContext": "fanwise.catalog",
    "ActionError": "fanwise.errors",
    "Engine": "fanwise.engine",
    "ErrorInfo": "fanwise.model",
    "ItemContext": "fanwise.context",
    "ItemCounts": "fanwise.model",
    "Limits": "fanwise.model",
    "Observer": "fanwise.ports.observer",
    "Run": "fanwise.model",
    "Status": "fanwise.model",
    "TaskSummary": "fanwise.model",
    "FanwiseError": "fanwise.errors",
    "WorkflowContext": "fanwise.context",
    "action": "fanwise.actions.decorator",
    "aresume": "fanwise.wiring",
    "aretry": "fanwise.wiring",
    "arun": "fanwise.wiring",
    "load_plan": "fanwise.wiring",
    "open_engine": "fanwise.wiring",
    "resume": "fanwise.wiring",
    "retry": "fanwise.wiring",
    "run": "fanwise.wiring",
    "thaw": "fanwise.values",
}

__all__ = [
    "ActionContext",
    "ActionError",
    "Engine",
    "ErrorInfo",
    "FanwiseError",
    "ItemContext",
    "ItemCounts",
    "Limits",
    "Observer",
    "Run",
    "Status",
    "TaskSummary",
    "WorkflowContext",
    "action",
    "aresume",
    "aretry",
    "arun",
    "load_plan",
    "open_engine",
    "resume",
    "retry",
    "run",
    "thaw",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'fanwise' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
