"""Actions of the contract of executors: each as `contract.NAME_async`, `NAME_def` and `NAME_cpu`.

Tests see what happens in them by their results, and by files and named pipes in a folder, since
actions may run in other processes. `marks` has a `+` for each start and a `-` for each end. A byte
in `arrived` says that an action hangs, and one in `gate` lets one go; those in `door` let actions
go that have met.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import logging
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Awaitable, Callable
from pathlib import Path

import fanwise
from fanwise import errors as fanwise_errors

Body = Callable[..., object]


def in_each_way(
    name: str, body: Body, waiting: Callable[..., Awaitable[object]] | None = None
) -> None:
    """Make `body` three actions; `waiting` is its `async def`, if it would block the loop."""

    @functools.wraps(body)
    async def call(**given: object) -> object:
        return body(**given)

    assert isinstance(body, types.FunctionType)
    for way, function, cpu in (
        ("async", waiting or call, False),
        ("def", _copy(body), False),
        ("cpu", _copy(body), True),
    ):
        full = f"{name}_{way}"
        globals()[full] = fanwise.action(f"contract.{full}", cpu=cpu)(function)


def _copy(body: types.FunctionType) -> types.FunctionType:
    copy = types.FunctionType(
        body.__code__, body.__globals__, body.__name__, body.__defaults__, body.__closure__
    )
    copy.__annotations__ = body.__annotations__
    return copy


def _mark(folder: str, mark: str) -> int:
    """Note a start or an end; returns how many there are by now."""
    with (Path(folder) / "marks").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(mark)
        file.flush()
        file.seek(0)
        return file.read().count(mark)


def _send(folder: str, pipe: str, count: int = 1) -> None:
    with (Path(folder) / pipe).open("wb", buffering=0) as stream:
        stream.write(b"." * count)


def _pass(folder: str, pipe: str) -> None:
    """Wait for a byte in a pipe."""
    gate = os.open(Path(folder) / pipe, os.O_RDONLY)
    try:
        os.read(gate, 1)
    finally:
        os.close(gate)


async def _apass(folder: str, pipe: str) -> None:
    gate = os.open(Path(folder) / pipe, os.O_RDONLY | os.O_NONBLOCK)
    loop, has_byte = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(gate, has_byte.set)
    try:
        while True:
            await has_byte.wait()
            try:
                os.read(gate, 1)
            except BlockingIOError:  # another action has read it
                has_byte.clear()
            else:
                return
    finally:
        loop.remove_reader(gate)
        os.close(gate)


def give(value: object = None) -> object:
    """The value itself."""
    return value


def meet(folder: str, party: int) -> int:
    """Wait until so many attempts run at once, then let them all end."""
    number = _mark(folder, "+")
    if number == party:
        _send(folder, "door", party - 1)
    elif number < party:
        _pass(folder, "door")
    _mark(folder, "-")
    return number


async def meet_waiting(folder: str, party: int) -> int:
    """The same on an event loop."""
    number = _mark(folder, "+")
    if number == party:
        _send(folder, "door", party - 1)
    elif number < party:
        await _apass(folder, "door")
    _mark(folder, "-")
    return number


def hang(folder: str, is_quick: bool = False) -> str:
    """Wait until the gate opens, unless it is quick."""
    if is_quick:
        return "quick"
    _mark(folder, "+")
    _send(folder, "arrived")
    _pass(folder, "gate")
    return "late"


async def hang_waiting(folder: str, is_quick: bool = False) -> str:
    """The same on an event loop."""
    if is_quick:
        return "quick"
    _mark(folder, "+")
    _send(folder, "arrived")
    await _apass(folder, "gate")
    return "late"


def pair(folder: str, role: str = "") -> str:
    """Wait for the other one of a pair, if it is the first."""
    if role == "first":
        _pass(folder, "door")
    elif role == "second":
        _send(folder, "door")
    return role


async def pair_waiting(folder: str, role: str = "") -> str:
    """The same on an event loop."""
    if role == "first":
        await _apass(folder, "door")
    elif role == "second":
        _send(folder, "door")
    return role


def flaky(context: fanwise.ActionContext, folder: str, fails: int) -> int:
    """Fail so many attempts; the number of the one that succeeds."""
    _mark(folder, "+")
    try:
        if context.attempt <= fails:
            raise ConnectionError(f"attempt {context.attempt}")
        return context.attempt
    finally:
        _mark(folder, "-")


def clock() -> float:
    """The machine's monotonic time, which is the same in all of its processes."""
    return time.monotonic()


def know(context: fanwise.ActionContext, limits: fanwise.Limits, fails: int = 0) -> object:
    """All that an attempt may know of itself."""
    if context.attempt <= fails:
        raise ConnectionError
    return {
        "run_id": context.run_id,
        "task": context.task,
        "index": context.index,
        "attempt": context.attempt,
        "key": context.idempotency_key,
        "deadline": context.deadline,
        "folder": context.folder,
        "limit": context.limits.result_bytes,
        "are_own_limits": limits == context.limits,
        "stopping": context.stopping,
    }


def say(context: fanwise.ActionContext, word: str, fails: int = 0) -> None:
    """Print to both streams and log, then fail so many attempts."""
    print(word, "out", context.attempt)  # noqa: T201 - printing is tested
    print(word, "err", context.attempt, file=sys.stderr)  # noqa: T201
    context.logger.warning("%s logged", word)
    logging.getLogger("library").warning("%s too", word)
    if context.attempt <= fails:
        raise ConnectionError


def change(shared: dict[str, object], index: int) -> int:
    """Try to change what all items share, if the index is 0."""
    if index == 0:
        shared["new"] = 1
    return len(shared)


def length(text: str) -> int:
    """The length of a text."""
    return len(text)


def text(size: int) -> str:
    """A text of this length."""
    return "x" * size


class UnpicklableError(Exception):
    """Holds what no other process can have."""

    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


class TwoArgumentsError(Exception):
    """Pickles, and can't be unpickled."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")


class SpeechlessError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def _deeper() -> None:
    raise ValueError("deep down")


def _local() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("known here alone")


def _exit() -> None:
    raise SystemExit(3)


def _close() -> None:
    raise GeneratorExit


def _own_base() -> None:
    class OwnBaseError(BaseException):
        pass

    raise OwnBaseError("no Exception")


def _stop() -> None:
    next(iter(()))


def _cancel() -> None:
    raise asyncio.CancelledError


def _raise(error: Exception) -> None:
    raise error


FAULTS: dict[str, Callable[[], None]] = {
    "plain": _deeper,
    "own": lambda: _raise(
        fanwise.ActionError("no luck", type="NotFound", data={"code": 7}, retry=False)
    ),
    "unpicklable": lambda: _raise(UnpicklableError()),
    "arguments": lambda: _raise(TwoArgumentsError(7, "two")),
    "speechless": lambda: _raise(SpeechlessError()),
    "local": _local,
    "exit": _exit,
    "close": _close,
    "base": _own_base,
    "stop": _stop,
    "cancel": _cancel,
}


def fail(fault: str = "") -> str:
    """Fail in one of these ways, or not at all."""
    if fault:
        FAULTS[fault]()
    return "fine"


def _overflow() -> None:
    import ctypes

    ctypes.string_at(0)


def _exhaust() -> None:
    """Take more memory than the process may have."""
    import resource

    bounds = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**30, bounds[1]))
    try:
        bytearray(2**31)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, bounds)


def _stick() -> None:
    """Never end, and let no other thread run."""
    sys.setswitchinterval(1e9)
    while True:
        pass


POISONS: dict[str, Callable[[], None]] = {
    "leave": lambda: os._exit(7),
    "abort": os.abort,
    "crash": _overflow,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "close": lambda: os.closerange(3, 256),
    "exhaust": _exhaust,
    "stick": _stick,
}


def poison(kind: str = "") -> str:
    """Harm the process that runs this, unless there is no kind."""
    if kind:
        POISONS[kind]()
    return "fine"


def process() -> int:
    """The process that runs this."""
    return os.getpid()


def reveal(folder: str, secret: str, fails: bool = False) -> object:
    """Show a secret in every way in which an action can, and note what its process shows of it."""
    shown = [Path(f"/proc/self/{part}").read_bytes() for part in ("cmdline", "environ")]
    with (Path(folder) / "shown").open("ab") as file:
        file.write(b"".join(shown))
    print("printed", secret)  # noqa: T201 - printing is tested
    logging.getLogger("library").warning("logged %s", secret)
    if fails:
        data = {"cut": fanwise_errors.Excerpt(f"about {secret}", 6 + len(secret) // 2)}
        raise fanwise.ActionError(f"failed with {secret}", data=data)
    return {"is_known": len(secret), "returned": secret}


async def nap(context: fanwise.ActionContext, folder: str, seconds: float) -> float:
    """Sleep by the context's clock, after a note that it began."""
    _send(folder, "arrived")
    await context.sleep(seconds)
    return seconds


globals()["nap"] = fanwise.action("contract.nap")(nap)


def _looped() -> list[object]:
    loop: list[object] = []
    loop.append(loop)
    return loop


JUNK: dict[str, Callable[[], object]] = {
    "object": object,
    "set": lambda: {1},
    "bytes": lambda: b"x",
    "keys": lambda: {1: 2},
    "nan": lambda: [float("nan")],
    "nul": lambda: {"a": "\0"},
    "surrogate": lambda: "\ud800",
    "loop": _looped,
    "function": lambda: {"f": print},
}


def junk(kind: str = "") -> object:
    """A result that isn't JSON, or one that is."""
    return JUNK[kind]() if kind else "fine"


for _name, _body, _waiting in (
    ("give", give, None),
    ("meet", meet, meet_waiting),
    ("hang", hang, hang_waiting),
    ("pair", pair, pair_waiting),
    ("flaky", flaky, None),
    ("clock", clock, None),
    ("know", know, None),
    ("say", say, None),
    ("change", change, None),
    ("length", length, None),
    ("text", text, None),
    ("fail", fail, None),
    ("junk", junk, None),
    ("poison", poison, None),
    ("process", process, None),
    ("reveal", reveal, None),
):
    in_each_way(_name, _body, _waiting)
