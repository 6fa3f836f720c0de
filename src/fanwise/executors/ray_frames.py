"""The messages between an engine, its bridge to a Ray cluster, and the hosts of workers there.

Their form is that of `frames`. A worker is a process of a host; its `number` is given once by the
engine. `data` is a message of `frames`, to a worker or from it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

MOST_UNREAD_BYTES: Final = 2**23
"""Bytes that the next one on the way to the engine may leave unread before no more is fetched."""

# To the bridge


class Connect(msgspec.Struct, frozen=True, tag="connect"):
    """The first message: the cluster, or None to start one, and the most hosts that may be."""

    address: str | None
    most_hosts: int | None
    module_folders: tuple[str, ...]


class Prepare(msgspec.Struct, frozen=True, tag="prepare"):
    """Hosts are wanted on nodes that have these resources."""

    request: int
    runs_on: tuple[str, ...]


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """A snapshot, which `Begin` will name by its digest."""

    digest: str
    snapshot: bytes


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """A snapshot isn't needed any more."""

    digest: str


class Start(msgspec.Struct, frozen=True, tag="start"):
    """A worker is to be started on a host with these resources."""

    number: int
    runs_on: tuple[str, ...]
    most_attempts: int


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """A worker is sent the `Open` in `data`, whose snapshot is elsewhere."""

    number: int
    digest: str
    data: bytes


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """A worker is sent a message."""

    number: int
    data: bytes


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """A worker is to be killed."""

    number: int


class End(msgspec.Struct, frozen=True, tag="end"):
    """A worker is to end."""

    number: int


# From the bridge


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """So many hosts are ready; `lacks` says in a line each what other nodes lack."""

    request: int
    size: int
    lacks: tuple[str, ...]


class Unprepared(msgspec.Struct, frozen=True, tag="unprepared"):
    """No host can be had."""

    request: int
    message: str
    hint: str


class Heard(msgspec.Struct, frozen=True, tag="heard"):
    """A worker has sent a message."""

    number: int
    data: bytes


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """A worker has died; `running` are the attempts that it ran, or None if nobody knows."""

    number: int
    how: str
    signal: int | None = None
    exit_status: int | None = None
    running: tuple[int, ...] | None = None


class Declined(msgspec.Struct, frozen=True, tag="declined"):
    """A worker can't be started, or can't be sent its visit."""

    number: int
    message: str
    hint: str


ToHost: TypeAlias = Start | Begin | Tell | Kill | End | Forget
ToBridge: TypeAlias = Connect | Prepare | Keep | ToHost
FromHost: TypeAlias = Heard | Lost | Declined
FromBridge: TypeAlias = Prepared | Unprepared | FromHost

encode = msgspec.msgpack.Encoder().encode
decode_to_host = msgspec.msgpack.Decoder(ToHost).decode
decode_to_bridge = msgspec.msgpack.Decoder(ToBridge).decode
decode_from_bridge = msgspec.msgpack.Decoder(FromBridge).decode
decode_from_host = msgspec.msgpack.Decoder(FromHost).decode
