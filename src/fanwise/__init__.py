"""fanwise: a durable workflow engine whose fan-out costs 40 bytes of context an item.

The public names, and nothing else. They are imported when they are first used, so `import fanwise`
costs next to nothing.
"""

from __future__ import annotations

# Not that of `typing`, whose import takes as long as the start of the command line up to the moment
# from which a Ctrl-C ends it without a traceback.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from fanwise import kv
    from fanwise.actions.decorator import action
    from fanwise.catalog import ActionContext
    from fanwise.client import (
        BulkChange,
        ComparedKind,
        ComparedTask,
        Comparison,
        RefusedRun,
        RemoteStore,
        connect,
    )
    from fanwise.context import ItemContext, WorkflowContext
    from fanwise.engine import Engine
    from fanwise.engine.handle import RunHandle
    from fanwise.errors import ActionError, FanwiseError
    from fanwise.model import ErrorInfo, FailedAttempt, ItemCounts, Limits, Run, Status, TaskSummary
    from fanwise.ports.observer import Observer
    from fanwise.run_store import Item, Log, RunDetails, RunStore, RunSummary, TaskVisit
    from fanwise.runs import (
        acancel,
        answer,
        apause,
        aresume,
        aretry,
        arun,
        cancel,
        emit,
        open_store,
        pause,
        resume,
        retry,
        run,
        signal,
        submit,
    )
    from fanwise.values import thaw
    from fanwise.wiring import load_plan, open_engine

__version__ = "0.2.0"

_HOMES = {
    "ActionContext": "fanwise.catalog",
    "ActionError": "fanwise.errors",
    "BulkChange": "fanwise.client",
    "ComparedKind": "fanwise.client",
    "ComparedTask": "fanwise.client",
    "Comparison": "fanwise.client",
    "Engine": "fanwise.engine",
    "ErrorInfo": "fanwise.model",
    "FailedAttempt": "fanwise.model",
    "FanwiseError": "fanwise.errors",
    "Item": "fanwise.run_store",
    "ItemContext": "fanwise.context",
    "ItemCounts": "fanwise.model",
    "Limits": "fanwise.model",
    "Log": "fanwise.run_store",
    "Observer": "fanwise.ports.observer",
    "RefusedRun": "fanwise.client",
    "RemoteStore": "fanwise.client",
    "Run": "fanwise.model",
    "RunDetails": "fanwise.run_store",
    "RunHandle": "fanwise.engine.handle",
    "RunStore": "fanwise.run_store",
    "RunSummary": "fanwise.run_store",
    "Status": "fanwise.model",
    "TaskSummary": "fanwise.model",
    "TaskVisit": "fanwise.run_store",
    "WorkflowContext": "fanwise.context",
    "acancel": "fanwise.runs",
    "action": "fanwise.actions.decorator",
    "answer": "fanwise.runs",
    "apause": "fanwise.runs",
    "aresume": "fanwise.runs",
    "aretry": "fanwise.runs",
    "arun": "fanwise.runs",
    "cancel": "fanwise.runs",
    "connect": "fanwise.client",
    "emit": "fanwise.runs",
    "load_plan": "fanwise.wiring",
    "open_engine": "fanwise.wiring",
    "open_store": "fanwise.runs",
    "pause": "fanwise.runs",
    "resume": "fanwise.runs",
    "retry": "fanwise.runs",
    "run": "fanwise.runs",
    "signal": "fanwise.runs",
    "submit": "fanwise.runs",
    "thaw": "fanwise.values",
}

__all__ = [
    "ActionContext",
    "ActionError",
    "BulkChange",
    "ComparedKind",
    "ComparedTask",
    "Comparison",
    "Engine",
    "ErrorInfo",
    "FailedAttempt",
    "FanwiseError",
    "Item",
    "ItemContext",
    "ItemCounts",
    "Limits",
    "Log",
    "Observer",
    "RefusedRun",
    "RemoteStore",
    "Run",
    "RunDetails",
    "RunHandle",
    "RunStore",
    "RunSummary",
    "Status",
    "TaskSummary",
    "TaskVisit",
    "WorkflowContext",
    "acancel",
    "action",
    "answer",
    "apause",
    "aresume",
    "aretry",
    "arun",
    "cancel",
    "connect",
    "emit",
    "kv",
    "load_plan",
    "open_engine",
    "open_store",
    "pause",
    "resume",
    "retry",
    "run",
    "signal",
    "submit",
    "thaw",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "kv":
        return import_module("fanwise.kv")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'fanwise' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, "kv"])
