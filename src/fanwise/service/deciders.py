"""The deciders of all kinds of triggers, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fanwise.model import Limits
from fanwise.ports import Arrivals, Clock, Endings, Fires, Processes, Records
from fanwise.service.arrivals import ArrivalTurns
from fanwise.service.endings import NewEndings, RunTurns
from fanwise.service.files import FileTurns
from fanwise.service.folders import Folders
from fanwise.service.interruptions import Interruptions
from fanwise.service.missing import MissingTurns
from fanwise.service.schedules import ScheduleTurns
from fanwise.service.turns import Decider, MakeRun


class TriggerStore(Fires, Arrivals, Endings, Records, Protocol):
    """The part of a store that deciders read."""


def all_deciders(
    store: TriggerStore,
    make_run: MakeRun,
    processes: Processes,
    clock: Clock,
    limits: Limits,
    folder: str,
    folders: Folders,
) -> Mapping[str, Decider]:
    """The deciders by the kinds of triggers that fire by themselves.

    Relative paths of `folders` start at the project's `folder`.
    """
    new = NewEndings(store, Interruptions(store, processes, clock))
    arrivals = ArrivalTurns(store, store, make_run)
    return {
        "event": arrivals,
        "webhook": arrivals,
        "schedule": ScheduleTurns(store, make_run, limits),
        "run": RunTurns(new, store, store, make_run, limits.queued),
        "file": FileTurns(folders, store, make_run, folder, limits.queued),
        "missing": MissingTurns(new, store, store, make_run, limits.queued),
    }
