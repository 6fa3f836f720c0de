"""The client of a server: its runs from Python code on another machine.

It asks the API of `fanwise serve`. It opens no store, and runs nothing itself.
"""

from fanwise.client.remote import RemoteStore, connect
from fanwise.client.results import BulkChange, ComparedKind, ComparedTask, Comparison, RefusedRun

__all__ = [
    "BulkChange",
    "ComparedKind",
    "ComparedTask",
    "Comparison",
    "RefusedRun",
    "RemoteStore",
    "connect",
]
