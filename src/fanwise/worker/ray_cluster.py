"""The connection of this process to a Ray cluster, and the nodes of that."""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import Final, NamedTuple

import ray

_STORE_BYTES: Final = 200_000_000
_REACH_S: Final = 5.0


class UnreachableError(Exception):
    """A cluster can't be used: `message` says why, and `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Node(NamedTuple):
    """A node that lives: its id and name, its CPUs, and the names of its resources."""

    id: str
    name: str
    cpus: int
    resources: frozenset[str]


def connect(address: str | None, cpus: int | None) -> None:
    """Join the cluster, or start one of a node on this machine. Raises `UnreachableError`."""
    quiet = partial(ray.init, logging_level=logging.CRITICAL, log_to_driver=False)
    if address is not None:
        _require_answer(address)
    try:
        if address is not None:
            quiet(address)
        else:
            quiet(
                "local",
                num_cpus=cpus,
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
            )
    except Exception as error:
        place = "a local Ray cluster can't be started" if address is None else _at(address)
        reason = _first_line(error)
        if "InvalidAuthToken" in str(error.__cause__):
            reason = "it wants another token"
        raise UnreachableError(f"{place}: {reason}.", _remedy(error)) from None


def _require_answer(address: str) -> None:
    """Raise `UnreachableError` soon if nobody listens there; Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
    except OSError as error:
        raise UnreachableError(
            f"{_at(address)}: {error.strerror or error}.",
            "Start it with `ray start --head`, and give the address that this prints.",
        ) from None


def _at(address: str) -> str:
    return f"the Ray cluster at {address} can't be reached"


def _first_line(error: Exception) -> str:
    """The text of an error of Ray as one line, of which the beginning says what is wrong."""
    return " ".join(str(error).split())[:300].rstrip(".")


def _remedy(error: Exception) -> str:
    if "InvalidAuthToken" in str(error.__cause__):
        return "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as where the cluster was started."
    if "Version mismatch" in str(error):
        return "Use the same Python, to its patch, and the same Ray on all nodes."
    return "Look at `ray status --address ADDRESS`."


def nodes() -> list[Node]:
    """The nodes that live. Raises `UnreachableError`."""
    try:
        found = ray.nodes()
    except Exception as error:
        raise UnreachableError(
            f"the Ray cluster doesn't answer: {_first_line(error)}.", ""
        ) from None
    return [
        Node(
            each["NodeID"],
            each["NodeManagerHostname"],
            int(each["Resources"].get("CPU", 0)),
            frozenset(each["Resources"]),
        )
        for each in found
        if each["Alive"]
    ]
