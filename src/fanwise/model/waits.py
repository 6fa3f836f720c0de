"""Waits of tasks for an answer or a signal, and signals that are sent to a run."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

WaitPlace: TypeAlias = tuple[str, int]
"""The place of a wait in its run: the path of a task or item, and the attempt."""


WAKE_PATH = "@wake"
"""The place of a run's own wait while it sleeps; no task has this name."""


class WaitKind(StrEnum):
    """Kinds of waits, by what ends them."""

    QUESTION = "question"
    SIGNAL = "signal"
    TIME = "time"
    """the run's own, which sleeps"""


class WaitState(StrEnum):
    """States of a wait. It leaves `open` once; only a wait that was `closed` is opened again."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CLOSED = "closed"
    """its task has ended in another way"""


class WaitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The wait that an attempt asks for.

    `form` is JSON text: of a question its prompt, options and fields, as `engine.answers` reads
    them. A wait for a signal has the `names` of those that end it, and a `key` that these must
    have, or None for any. With `takes_earlier` signals that were sent before the wait count too.
    """

    waits_for: WaitKind
    form: bytes = b"{}"
    names: tuple[str, ...] = ()
    key: str | None = None
    takes_earlier: bool = True


class Wait(WaitRequest, frozen=True, kw_only=True):
    """A wait of the attempt `turn` of the task or item at `path`, as recorded.

    Times are by the store's clock. `deadline` is when the wait expires, or None. `answer` is JSON
    text: of a question the answer, of a signal its name, key and data; `by` says from whom it came,
    and `via` by which way. `settled_no` counts the waits of the run that were answered or have
    expired, in their order.
    """

    run_no: int
    path: str
    turn: int
    state: WaitState
    opened_at: float
    deadline: float | None = None
    answer: bytes | None = None
    by: str | None = None
    via: str | None = None
    settled_at: float | None = None
    settled_no: int | None = None

    @property
    def place(self) -> WaitPlace:
        """The path and the attempt, which no other wait of the run has."""
        return self.path, self.turn


class WaitToOpen(msgspec.Struct, frozen=True):
    """A wait to be recorded: where, for what, and for how many seconds at most."""

    path: str
    turn: int
    request: WaitRequest
    timeout_s: float | None

    @property
    def place(self) -> WaitPlace:
        """The path and the attempt, which no other wait of the run has."""
        return self.path, self.turn


class GivenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to a question as somebody gives it, before it is checked.

    `fields` are values by their names, and `texts` stand for values of the fields' types. `by` is
    the name that the one who answers gives, `identity` the one that is proven, if one is, and `via`
    the way by which the answer came.
    """

    choice: str | None
    by: str
    via: str
    fields: Mapping[str, object] = {}
    texts: Mapping[str, str] = {}
    identity: str | None = None


class Signal(msgspec.Struct, frozen=True):
    """A signal to a run: its name, its key if it has one, its data as JSON text, and its sender."""

    name: str
    key: str | None
    payload: bytes
    by: str


class Link(msgspec.Struct, frozen=True):
    """A link by which a person, or anybody if `who` is empty, may answer a question.

    It is known by the hash of its token. The store fills in `run_id`.
    """

    token_hash: str
    run_no: int
    path: str
    turn: int
    who: str
    run_id: str = ""


class CloseWaits(msgspec.Struct, frozen=True, gc=False):
    """Close the open waits of a run at a path and under it: the task there has ended."""

    run_no: int
    under: str


class OpenWait(msgspec.Struct, frozen=True):
    """An open wait for people, with the run that waits."""

    run_id: str
    workflow: str
    wait: Wait
