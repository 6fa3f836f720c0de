"""The messages between an engine and its workers, and their form as bytes.

A message is MessagePack, decoded into these types alone: no bytes make code run. Items, results and
errors are JSON text inside. A `visit` is the engine's own number for it, as is an attempt's
`number`; both are given once. Times are seconds since the epoch, spans seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from fanwise.ports import PortableCall

PROTOCOL: Final = 1
"""The version of these messages. Both sides have the same one."""


# To a worker


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The first message: the folders in which the worker finds modules; none leaves its own."""

    module_folders: tuple[str, ...] = ()


class Open(msgspec.Struct, frozen=True, tag="open"):
    """A visit, of which `width` attempts may run at once.

    `secrets` has the values at the secret paths of the call, as JSON text.
    """

    visit: int
    call: PortableCall
    secrets: bytes
    width: int


class SentAttempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An attempt to be made: its item as JSON text, or "" for a task without items."""

    number: int
    index: int | None
    attempt: int
    item: bytes


class Attempts(msgspec.Struct, frozen=True, tag="attempts"):
    """Attempts of a visit, which begin in this order."""

    visit: int
    attempts: list[SentAttempt]


class Recall(msgspec.Struct, frozen=True, tag="recall"):
    """Attempts that haven't begun are to be given back."""

    visit: int


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Attempts are to be given back, or cut off if they run."""

    visit: int


class Slept(msgspec.Struct, frozen=True, tag="slept"):
    """A sleep of an attempt is over."""

    visit: int
    number: int
    sleep: int


class Close(msgspec.Struct, frozen=True, tag="close"):
    """A visit has ended."""

    visit: int


# From a worker


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first message of a worker: the versions that it has."""

    protocol: int
    fanwise: str
    python: str


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """A visit's action is imported, and its attempts begin."""

    visit: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A visit's attempts can't be made here; all of them are given back."""

    visit: int
    message: str
    hint: str


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """The error of an attempt: an `ErrorInfo` as JSON text, with secrets, and how to retry."""

    error: bytes
    retryable: bool
    retry_after_s: float | None


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The outcome of an attempt: its result as JSON text, its failure, or neither if cut off."""

    number: int
    started_at: float
    duration_s: float
    output: bytes | None = None
    failure: Failure | None = None


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Attempts that have ended, in the order of their ends."""

    visit: int
    outcomes: list[Outcome]


class Returned(msgspec.Struct, frozen=True, tag="returned"):
    """Attempts that haven't begun, and won't."""

    visit: int
    numbers: list[int]


class Logged(msgspec.Struct, frozen=True, tag="logged"):
    """A text that a running attempt has printed, with secrets; `left_out` bytes are left out."""

    visit: int
    number: int
    text: str
    left_out: int


class Sleeping(msgspec.Struct, frozen=True, tag="sleeping"):
    """A running attempt begins its sleep `sleep`; `alone` says that it does nothing else."""

    visit: int
    number: int
    sleep: int
    seconds: float
    alone: bool


ToVisit: TypeAlias = Open | Attempts | Recall | Stop | Slept | Close
ToWorker: TypeAlias = Welcome | ToVisit
FromWorker: TypeAlias = Hello | Opened | Refused | Ended | Returned | Logged | Sleeping
VisitMessage: TypeAlias = Opened | Refused | Ended | Returned | Logged | Sleeping


class Heading(msgspec.Struct, frozen=True):
    """The kind of a message and its visit, for those who pass the rest on as it is."""

    type: str
    visit: int = 0


decode_heading = msgspec.msgpack.Decoder(Heading).decode
encode_message = msgspec.msgpack.Encoder().encode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode

# A stream of messages: each has its length before it, as four bytes.

_LENGTH: Final = struct.Struct(">I")


def framed(message: bytes) -> bytes:
    """A message as it is written to a stream."""
    return _LENGTH.pack(len(message)) + message


class Unframer:
    """Divides a stream into messages, however it is cut into parts."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, part: bytes) -> Iterator[bytes]:
        """The messages that are complete with this part."""
        data = self._data
        data += part
        at = 0
        while len(data) >= at + _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            end = at + _LENGTH.size + length
            if len(data) < end:
                break
            yield bytes(memoryview(data)[at + _LENGTH.size : end])
            at = end
        del data[:at]
