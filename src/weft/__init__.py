"""weft: a durable workflow engine whose fan-out costs 40 bytes of context an item.

The public names, and nothing else. They are imported when they are first used, so `import weft`
costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.actions.decorator import action
    from weft.catalog import ActionContext
    from weft.context import ItemContext, WorkflowContext
    from weft.engine import Engine, Quiet
    from weft.errors import ActionError, WeftError
    from weft.model import ErrorInfo, ItemCounts, Limits, Run, Status, TaskSummary
    from weft.values import thaw
    from weft.wiring import aresume, aretry, arun, load_plan, open_engine, resume, retry, run

__version__ = "0.1.0"

_HOMES = {
    "ActionContext": "weft.catalog",
    "ActionError": "weft.errors",
    "Engine": "weft.engine",
    "ErrorInfo": "weft.model",
    "ItemContext": "weft.context",
    "ItemCounts": "weft.model",
    "Limits": "weft.model",
    "Quiet": "weft.engine",
    "Run": "weft.model",
    "Status": "weft.model",
    "TaskSummary": "weft.model",
    "WeftError": "weft.errors",
    "WorkflowContext": "weft.context",
    "action": "weft.actions.decorator",
    "aresume": "weft.wiring",
    "aretry": "weft.wiring",
    "arun": "weft.wiring",
    "load_plan": "weft.wiring",
    "open_engine": "weft.wiring",
    "resume": "weft.wiring",
    "retry": "weft.wiring",
    "run": "weft.wiring",
    "thaw": "weft.values",
}

__all__ = [
    "ActionContext",
    "ActionError",
    "Engine",
    "ErrorInfo",
    "ItemContext",
    "ItemCounts",
    "Limits",
    "Quiet",
    "Run",
    "Status",
    "TaskSummary",
    "WeftError",
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
        raise AttributeError(f"module 'weft' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
