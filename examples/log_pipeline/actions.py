"""The actions of the log pipeline; weft finds them beside it."""

import gzip
import heapq
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import weft

HERE = Path(__file__).parent
LOGS = HERE / "logs"
NETWORKS = HERE / "networks.json"

# The combined log format: Apache's and nginx's.
_entry = re.compile(
    r'(?P<address>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<method>\S+) (?P<path>\S+) [^"]*" '
    r'(?P<status>\d{3}) (?P<bytes>\d+|-) "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"'
).fullmatch
_number = re.compile(r"\d+")


@weft.action("logs.aggregate")
def aggregate(folder: Path = LOGS) -> dict[str, Any]:
    """Merge the access logs in a folder into one list, in the order of their times.

    Gives `{"files", "entries"}`: the names of the files, and the lines of all of them.
    """
    files = sorted(folder.glob("*.log.gz"))
    merged = heapq.merge(*map(_lines, files), key=lambda line: _time(_fields(line)))
    return {"files": [file.name for file in files], "entries": list(merged)}


@weft.action("data.enrich")
def enrich(folder: Path = LOGS, networks: Path = NETWORKS) -> dict[str, Any]:
    """Find out where the clients are: how many requests came from each region.

    `networks` is a JSON file, `[{"network": "192.0.2.0/24", "region"}, ...]`. Gives `{"regions"}`.
    """
    regions = [
        (ip_network(each["network"]), each["region"]) for each in json.loads(networks.read_bytes())
    ]
    clients = Counter(fields["address"] for fields in _all_fields(folder))
    counts: Counter[str] = Counter()
    for address, requests in clients.items():
        found = (name for network, name in regions if ip_address(address) in network)
        counts[next(found, "unknown")] += requests
    return {"regions": dict(counts.most_common())}


@weft.action("analytics.extract")
def extract(folder: Path = LOGS) -> dict[str, Any]:
    """Find the patterns of the requests: their paths with N for each number.

    Gives `{"patterns": [{"method", "path", "requests", "errors"}, ...]}`, the most frequent first;
    `errors` counts the answers with a status of 500 or more.
    """
    requests: Counter[tuple[str, str]] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    for fields in _all_fields(folder):
        pattern = fields["method"], _number.sub("N", fields["path"])
        requests[pattern] += 1
        errors[pattern] += fields["status"] >= "500"
    return {
        "patterns": [
            {"method": method, "path": path, "requests": count, "errors": errors[method, path]}
            for (method, path), count in requests.most_common()
        ]
    }


@weft.action("logs.parse")
async def parse(entry: str) -> dict[str, Any]:
    """Parse a line of an access log.

    Gives `{"address", "time", "method", "path", "status", "bytes", "referrer", "agent"}`, with the
    time as ISO 8601 and null for a "-". Fails with `BadEntry` for a line in another format.
    """
    # Work of microseconds: as `async def` it is spared the way into a thread and back.
    fields = _fields(entry)
    size = fields["bytes"]
    return {
        **{name: None if value == "-" else value for name, value in fields.items()},
        "time": _time(fields).isoformat(),
        "status": int(fields["status"]),
        "bytes": 0 if size == "-" else int(size),
    }


def _fields(line: str) -> dict[str, str]:
    found = _entry(line)
    if found is None:
        message = "the entry isn't in the combined log format."
        raise weft.ActionError(message, type="BadEntry", retry=False)
    return found.groupdict()


def _time(fields: dict[str, str]) -> datetime:
    return datetime.strptime(fields["time"], "%d/%b/%Y:%H:%M:%S %z")


def _all_fields(folder: Path) -> Iterator[dict[str, str]]:
    for file in sorted(folder.glob("*.log.gz")):
        yield from map(_fields, _lines(file))


def _lines(file: Path) -> Iterator[str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n")
