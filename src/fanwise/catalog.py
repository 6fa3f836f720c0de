"""Actions by their inputs and outputs, without their origin.

An `ActionSpec` is all that the rest of fanwise knows of an action. Actions made with
`@fanwise.action` are turned into specs by the adapters in `fanwise.actions`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from fanwise.model import Arrival, KvChange, Limits, WaitRequest
from fanwise.trace_ids import traceparent


class Runs(StrEnum):
    """The place of an action: on the event loop, in a thread, or in a process of its own."""

    ASYNC = "async"
    THREAD = "thread"
    PROCESS = "process"


LOCAL: Final = "local"
"""The executor that every engine has: this process."""

PROCESS: Final = "process"
"""The executor whose attempts run in child processes."""

RAY: Final = "ray"
"""The executor whose attempts run on the nodes of a Ray cluster."""

EXECUTORS: Final = (LOCAL, PROCESS, RAY)
"""The names of executors that a task or a run may ask for."""


class ActionField(msgspec.Struct, frozen=True):
    """One parameter of an action.

    `check` turns a frozen JSON value into what the action is called with, or raises `InputError`
    naming the field; None takes any value as it is. `shareable` says that what `check` gives can't
    be changed, so that all items of a task can have it by reference. `accepts` says in words which
    values are taken. `is_script` marks text that a shell runs, which is no template, and
    `is_path` the path of a file or folder: a relative one starts at the workflow's folder, or at
    the caller's if it is a parameter's value. `is_stream` marks a list that the action reads an
    element at a time: it is a frozen list, a `LazyList` or `Elements`. `written` refuses what the
    action itself refuses at run time, for a value that a file gives: it raises `AttemptError`.
    """

    name: str
    required: bool
    accepts: str
    check: Callable[[Any], Any] | None = None
    shareable: bool = True
    default: Any = None
    doc: str = ""
    is_script: bool = False
    is_path: bool = False
    is_stream: bool = False
    written: Callable[..., object] | None = None


class Elements:
    """The elements of a list that a template makes one by one, from the first in each iteration.

    Iterating raises `AttemptError` where the template can't be evaluated.
    """

    __slots__ = ("_begin",)

    def __init__(self, begin: Callable[[], Iterator[object]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[object]:
        return self._begin()


class Given(StrEnum):
    """The number of choices of inputs that an action must be given."""

    ONE_OF = "one_of"
    AT_MOST_ONE_OF = "at_most_one_of"
    SOME_OF = "some_of"
    TOGETHER = "together"


class InputRule(msgspec.Struct, frozen=True):
    """A rule between inputs of an action: how many of the `choices` must be `given`.

    A choice is one input, or several that belong together. An input that is null isn't given.
    """

    given: Given
    choices: Sequence[tuple[str, ...]]

    def __str__(self) -> str:
        """Words for the rule, such as `one of "command" or "script"`."""
        return f"{self.given.replace('_', ' ')} {_listed(self.choices)}"

    def fault(self, certain: Collection[str], possible: Collection[str]) -> str:
        """Words for what breaks the rule, or "" for nothing.

        `certain` are the inputs that are given, `possible` those that may be given, all of them
        included.
        """
        given = [choice for choice in self.choices if any(name in certain for name in choice)]
        open_ones = [choice for choice in self.choices if any(name in possible for name in choice)]
        if self.given in (Given.ONE_OF, Given.AT_MOST_ONE_OF) and len(given) > 1:
            return f"takes only one of {_listed(given)}"
        if self.given in (Given.ONE_OF, Given.SOME_OF) and not open_ones:
            return f"needs {_listed(self.choices)}"
        if self.given is Given.TOGETHER and given and len(open_ones) < len(self.choices):
            missing = [choice for choice in self.choices if choice not in open_ones]
            return f"takes {_listed(given)} only with {_listed(missing)}"
        return ""

    def can_break(self, names: Collection[str]) -> bool:
        """Say whether an input that has just these names, or fewer, can break the rule."""
        return self.given is not Given.AT_MOST_ONE_OF or bool(self.fault(names, names))


def _listed(choices: Sequence[tuple[str, ...]]) -> str:
    return " or ".join(" and ".join(f'"{name}"' for name in choice) for choice in choices)


CORE_SCRIPTS = frozenset({("core.shell", "script")})
"""The actions of the core pack whose inputs are scripts, with the inputs: for plans that are made
without a catalog."""


ASKING_ACTION = "core.ask"

WAITING_ACTIONS = frozenset({ASKING_ACTION, "core.wait"})
"""The actions that wait for an answer or a signal, without a slot and without a process."""


ENGINE_ACTIONS = WAITING_ACTIONS | {"core.kv_set", "core.kv_delete", "core.emit"}
"""The actions that stay with the engine, which alone writes to the store."""


class Parked(Exception):  # noqa: N818 - no failure
    """Ends an attempt that waits: its outcome follows once the wait is settled."""

    def __init__(self, request: WaitRequest) -> None:
        super().__init__("the attempt waits")
        self.request = request


class ActionRef(msgspec.Struct, frozen=True):
    """An action as another process finds it: by its name, its pack and the digest of its code.

    `pack` is the absolute path of a pack's folder, or the module of an installed pack.
    """

    name: str
    pack: str
    digest: str


class ActionSpec(msgspec.Struct, frozen=True):
    """An action: its name, its function, and the fields of its input in the order declared.

    `rules` are those between several fields. `open_input` says that it takes any further names
    (`**kwargs`); `context_field` is the name of the parameter that receives an `ActionContext`, or
    None, and `limits_field` of the one that receives the run's `Limits`. `source` says where it is
    defined. `workflow` gives the plan of a workflow that is called like an action; then there's no
    function to call, and the fields are its parameters. `digest` is a hash of the file that defines
    it, or "" if there is none to read. `pack` is the absolute path of the pack's folder, the module
    of an installed pack, or "" for a function that was given as it is.
    """

    name: str
    function: Callable[..., Any]
    runs: Runs
    fields: Mapping[str, ActionField]
    open_input: bool = False
    context_field: str | None = None
    limits_field: str | None = None
    doc: str = ""
    source: str = ""
    rules: Sequence[InputRule] = ()
    digest: str = ""
    workflow: Callable[[], Any] | None = None
    pack: str = ""

    @property
    def reference(self) -> ActionRef | None:
        """The reference by which another process finds it; None for a workflow or a function."""
        if self.workflow is not None or not self.pack:
            return None
        return ActionRef(self.name, self.pack, self.digest)


class StopFlag:
    """A signal to stop, for all holders of the flag; it is set once.

    One with an `outer` flag says so as well when that is set.
    """

    __slots__ = ("_is_set", "_outer")

    def __init__(self, outer: StopFlag | None = None) -> None:
        self._is_set = False
        self._outer = outer

    @property
    def is_set(self) -> bool:
        """True once the stop was requested."""
        return self._is_set or (self._outer is not None and self._outer.is_set)

    def set(self) -> None:
        """Ask for the stop."""
        self._is_set = True


async def _no_store(change: KvChange) -> int:
    raise RuntimeError(f'the key "{change.name}" can\'t be changed: there is no store here')


async def _no_bus(event: Arrival) -> bool:
    raise RuntimeError(f'the event "{event.name}" can\'t be emitted: there is no store here')


async def _no_links(form: bytes) -> Mapping[str, str] | None:
    raise RuntimeError("no link to a question can be made: there is no store here")


class ActionContext(msgspec.Struct, frozen=True):
    """Facts about an attempt, for an action with a parameter annotated with this class.

    `index` is the item's index, or None without items; `attempt` counts from 1. `idempotency_key`
    stays the same over attempts, resumes, retries and machines. `deadline` is when the attempt's
    timeout strikes, in seconds since the epoch, or None. `folder` is the workflow's folder.

    `await context.sleep(seconds)` waits. When that is over is recorded first, so that an attempt
    that is retried after a crash waits just for the rest. It is for `async def` actions.

    `change_key` makes a change of a key of the store, `emit` records an event, and `new_links`
    makes links to the question that the attempt is about to ask, or gives None if it has been asked
    already. All three are for the core pack. `parent` is the span that has started the run, for
    `traceparent`.
    """

    run_id: str
    task: str
    index: int | None
    attempt: int
    idempotency_key: str
    deadline: float | None
    logger: logging.Logger
    stop: StopFlag
    limits: Limits
    folder: str
    sleep: Callable[[float], Awaitable[None]]
    change_key: Callable[[KvChange], Awaitable[int]] = _no_store
    emit: Callable[[Arrival], Awaitable[bool]] = _no_bus
    new_links: Callable[[bytes], Awaitable[Mapping[str, str] | None]] = _no_links
    parent: str = ""

    @property
    def traceparent(self) -> str:
        """The header by which W3C's Trace Context names the task's span as the parent of another.

        See the page on traces; a span of that id is there once the run is over.
        """
        head, _, visit = self.idempotency_key.rpartition("/")
        index = "" if self.index is None else f"[{self.index}]"
        key = f"{head.removesuffix(index)}/{visit}"
        return traceparent(self.run_id, key, parent=self.parent)

    @property
    def stopping(self) -> bool:
        """True if the run is to stop; long work should look and return early."""
        return self.stop.is_set
