"""The servers of the demo: their names, and how each answers a health check.

A fleet follows from its size and seed alone, so the demo can compare what the workflow found with
what is true. Of every thousand servers 40 are slow, 30 fail at each call and 40 recover; the rest
answer at once. Nothing here knows HTTP. Delays are in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from random import Random

import msgspec


def health_endpoint(base_url: str, server: Server) -> str:
    """The URL at which the server process at `base_url` answers for `server`."""
    return f"{base_url}/servers/{server.name}/health"


def write_inventory(path: Path, base_url: str, fleet: Iterable[Server]) -> None:
    """Write the file that lists `fleet`, replacing what `path` held."""
    servers = [
        {
            "name": server.name,
            "region": server.region,
            "role": server.role,
            "health_endpoint": health_endpoint(base_url, server),
        }
        for server in fleet
    ]
    path.write_bytes(msgspec.json.format(msgspec.json.encode({"servers": servers}), indent=2))


class Behaviour(StrEnum):
    """A server's way of answering, over all of its calls."""

    HEALTHY = "healthy"
    SLOW = "slow"
    FAILING = "failing"
    RECOVERING = "recovering"


class Fault(StrEnum):
    """A failing server's answer to each call."""

    ERROR = "error"
    """Answers 500."""
    UNAVAILABLE = "unavailable"
    """Answers 503."""
    MISSING = "missing"
    """Answers 404."""
    CLOSED = "closed"
    """Closes the connection without an answer."""
    DEGRADED = "degraded"
    """Answers 200, with a body that says that it isn't well."""


class Server(msgspec.Struct, frozen=True):
    """One server. `busy_calls` is how many of its first calls it answers with 503."""

    name: str
    region: str
    role: str
    behaviour: Behaviour = Behaviour.HEALTHY
    delay_s: float = 0.0
    busy_calls: int = 0
    fault: Fault | None = None


_ROLE_SHARES = {"web": 0.4, "api": 0.25, "db": 0.15, "cache": 0.1}  # The rest are queues.
_REGIONS = ("eu-central", "eu-north", "us-east", "us-west", "ap-south")
_SHARES = {Behaviour.SLOW: 0.04, Behaviour.FAILING: 0.03, Behaviour.RECOVERING: 0.04}

_USUAL_DELAY_S = (0.002, 0.03)
_SLOW_DELAY_S = (0.3, 1.5)


def make_fleet(size: int, seed: int, *, all_healthy: bool = False) -> tuple[Server, ...]:
    """The fleet of `size` servers that `seed` gives, by role and number.

    With `all_healthy` each of them answers 200 without a delay, for measuring the client.
    """
    random = Random(seed)
    servers = [
        Server(f"{role}-{number:03}", region=random.choice(_REGIONS), role=role)
        for role, count in _role_counts(size).items()
        for number in range(1, count + 1)
    ]
    if all_healthy:
        return tuple(servers)
    behaviours = [kind for kind, share in _SHARES.items() for _ in range(round(size * share))]
    behaviours += [Behaviour.HEALTHY] * (size - len(behaviours))
    random.shuffle(behaviours)
    return tuple(
        _behaving(server, behaviour, random)
        for server, behaviour in zip(servers, behaviours, strict=True)
    )


def _role_counts(size: int) -> dict[str, int]:
    counts = {role: int(size * share) for role, share in _ROLE_SHARES.items()}
    counts["queue"] = size - sum(counts.values())
    return counts


def _behaving(server: Server, behaviour: Behaviour, random: Random) -> Server:
    replace = msgspec.structs.replace
    server = replace(server, behaviour=behaviour, delay_s=random.uniform(*_USUAL_DELAY_S))
    match behaviour:
        case Behaviour.SLOW:
            return replace(server, delay_s=random.uniform(*_SLOW_DELAY_S))
        case Behaviour.FAILING:
            return replace(server, fault=random.choice(list(Fault)))
        case Behaviour.RECOVERING:
            return replace(server, busy_calls=random.randint(1, 2))
        case Behaviour.HEALTHY:
            return server
