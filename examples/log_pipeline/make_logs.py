"""Writes the access logs in `logs/`: 10,000 requests to three web servers in an hour.

    python make_logs.py

The same seed gives the same logs. They are in the combined log format, compressed as logrotate
leaves them.
"""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

ENTRIES = 10_000
HOSTS = ("web-1", "web-2", "web-3")
STARTS_AT = datetime(2026, 3, 5, 9, tzinfo=UTC)
MEAN_GAP_S = 0.36
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")  # RFC 5737: addresses for documentation
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "curl/8.5.0",
    "HealthChecker/2.1",
)


def requests(seed: int = 7) -> Iterator[tuple[str, str]]:
    """Host and log line of each request, in the order of their times."""
    chance = Random(seed)
    at = STARTS_AT
    for _ in range(ENTRIES):
        at += timedelta(seconds=chance.expovariate(1 / MEAN_GAP_S))
        address = f"{chance.choice(NETWORKS)}.{chance.randrange(1, 255)}"
        method, path = _target(chance)
        status = chance.choices((200, 304, 404, 500), weights=(90, 5, 4, 1))[0]
        size = 0 if status == 304 else chance.randrange(200, 20_000)
        yield (
            chance.choice(HOSTS),
            f'{address} - - [{at:%d/%b/%Y:%H:%M:%S %z}] "{method} {path} HTTP/1.1" '
            f'{status} {size} "-" "{chance.choice(AGENTS)}"',
        )


def _target(chance: Random) -> tuple[str, str]:
    """Method and path of a request."""
    order, user = chance.randrange(10_000), chance.randrange(1_000)
    targets = {
        ("GET", "/health"): 20,
        ("GET", f"/orders/{order}"): 40,
        ("POST", "/orders"): 15,
        ("GET", f"/users/{user}/orders"): 20,
        ("DELETE", f"/orders/{order}"): 5,
    }
    return chance.choices(list(targets), weights=list(targets.values()))[0]


def main() -> None:
    """Write a file for each host."""
    lines: dict[str, list[str]] = {host: [] for host in HOSTS}
    for host, line in requests():
        lines[host].append(line)
    for host, written in lines.items():
        file = Path(__file__).with_name("logs") / f"{host}.access.log.gz"
        text = "".join(f"{line}\n" for line in written)
        file.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
