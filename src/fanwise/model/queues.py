"""Records of the queues in which submitted runs wait for an engine, and of the engines there."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from fanwise.model.ownership import Lease, Owner

DEFAULT_QUEUE: Final = "default"


class OrderKind(StrEnum):
    """The kinds of orders for a run that no engine drives."""

    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


class ChosenKind(msgspec.Struct, frozen=True):
    """The kind of errors, by its number, whose items alone a retry runs again of a task."""

    task: str
    kind: int


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order to the engine that takes a run: to resume it, to cancel it, or to retry it.

    A retry may start at `from_task`, run again of a task the items of `kind_of` alone, or have a
    repaired `definition`, the text of a workflow. With `force` changed files are read further. An
    order holds until the engine has recorded an event of the run.
    """

    kind: OrderKind
    by: str = ""
    from_task: str | None = None
    kind_of: ChosenKind | None = None
    definition: str | None = None
    force: bool = False


class Submission(msgspec.Struct, frozen=True):
    """The place of a submitted run among others. It lasts as long as the run does.

    Of the runs of a queue the one with the highest `priority` is taken first, and of equals the
    oldest; each ten minutes of waiting count as one more. A run `is_held_back` if it waits for a
    slot of its limit. `once` is a key that at most one run has. A run that `is_waiting` has done so
    since `since`, in seconds since the epoch by the store's clock; `why` is the reason for which
    its last engine has put it back, empty if none has. `tries` counts the engines in a row that
    have taken the run and lost it without any progress, and `tried_by` names them. `order` is the
    one that holds, if one does. With `most_waiting` a new run isn't made if so many of its workflow
    wait already.
    """

    queue: str = DEFAULT_QUEUE
    priority: int = 0
    once: str | None = None
    is_waiting: bool = True
    since: float = 0.0
    tries: int = 0
    why: str = ""
    tried_by: str = ""
    is_held_back: bool = False
    order: RunOrder | None = None
    most_waiting: int | None = None


class Claim(msgspec.Struct, frozen=True):
    """A run that an engine has taken from its queue, with its lease and its place there."""

    run_id: str
    lease: Lease
    submission: Submission


class EngineRecord(msgspec.Struct, frozen=True):
    """An engine as recorded, with the ids of the runs that it holds; of them `submitted` ones.

    `beats` counts its signs of life, of which the last is `silent_s` seconds old. It has been there
    since `since`, in seconds since the epoch by the store's clock; None if that isn't recorded.
    """

    engine_no: int
    owner: Owner
    beats: int
    silent_s: float
    since: float | None
    runs: tuple[str, ...] = ()
    submitted: tuple[str, ...] = ()
