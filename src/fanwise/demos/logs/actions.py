"""The actions of the log pipeline; fanwise finds them beside the workflow.

A line of a log is in the Combined Log Format, as Apache and nginx write it; the seconds that the
answer took may stand at its end. No action holds a whole log, so it may be of any size. Errors name
files, and never quote a line.
"""

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from heapq import nlargest
from pathlib import Path
from typing import Any

import fanwise

_entry = re.compile(
    r"(?P<client>\S+) \S+ \S+ "
    r"\[(?P<day>\d\d)/(?P<month>\w{3})/(?P<year>\d{4}):(?P<clock>[\d:]{8}) (?P<zone>[+-]\d{4})\] "
    r'"(?P<method>\S+) (?P<path>(?:[^\s"\\]|\\.)+)(?: (?:[^"\\]|\\.)*)?" '
    r"(?P<status>\d{3}) (?P<bytes>\d+|-) "
    r'"(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"(?: (?P<seconds>\d+\.\d+))?'
).fullmatch
_server = re.compile(r"/servers/([^/?]+)").match
_segment_with_digits = re.compile(r"[^/]*\d[^/]*")

_MONTHS = {
    "Jan": "01",
    "Feb": "02",
    "Mar": "03",
    "Apr": "04",
    "May": "05",
    "Jun": "06",
    "Jul": "07",
    "Aug": "08",
    "Sep": "09",
    "Oct": "10",
    "Nov": "11",
    "Dec": "12",
}
_CHUNK = 2**20  # bytes of a log, or characters of a line, that are held at once
_MAX_PATTERNS = 1_000
_MAX_SHOWN = 10


@fanwise.action("logs.aggregate")
def aggregate(log: Path, merged: Path) -> dict[str, Any]:
    """Merge a log with what it was rotated into: one file, the oldest lines first.

    These are the files beside `log` whose names add a number, and `.gz` if they are compressed:
    access.log, access.log.1, access.log.2.gz. Gives `{"log", "files"}`: the path of the merged
    file, and the names of those in it. Fails with `NoLog` if there are none, with `BadLog` if one
    of them can't be read, and with `BadTarget` if `merged` can't be written, or is one of them.
    """
    files = _parts(log)
    if merged.resolve() in {file.resolve() for file in files}:
        raise _bad_target(f"{merged.name} is one of the logs, and would be overwritten.")
    unfinished = merged.with_name(f"{merged.name}.part")
    try:
        with unfinished.open("wb") as target:
            for file in files:
                end = b"\n"
                for chunk in _chunks(file):
                    target.write(chunk)
                    end = chunk[-1:]
                if end != b"\n":  # The file was taken while this line was written.
                    target.write(b"\n")
        unfinished.replace(merged)
    except OSError as error:
        why = str(error.strerror).lower()
        raise _bad_target(f"{merged.name} can't be written: {why}.") from None
    return {"log": str(merged), "files": [file.name for file in files]}


@fanwise.action("data.enrich")
def enrich(log: Path, inventory: Path) -> dict[str, Any]:
    """Look up the servers that a log names: where each of them is, and what it does.

    `inventory` is a JSON file, `{"servers": [{"name", "region", "role"}, ...]}`. Gives
    `{"servers", "unknown"}`: `{"region", "role"}` by name, and how many requests were for servers
    that the inventory doesn't have. Fails with `BadInventory` if it can't be read.
    """
    try:
        known = {
            each["name"]: {"region": each["region"], "role": each["role"]}
            for each in json.loads(inventory.read_bytes())["servers"]
        }
    except (OSError, ValueError, TypeError, KeyError):
        message = f"{inventory.name} isn't an inventory of servers. Name one: -p inventory=PATH"
        raise fanwise.ActionError(message, type="BadInventory", retry=False) from None
    servers, unknown = {}, 0
    for entry in _entries(log):
        if named := _server(entry["path"]):
            if named[1] in known:
                servers[named[1]] = known[named[1]]
            else:
                unknown += 1
    return {"servers": servers, "unknown": unknown}


@fanwise.action("analytics.extract")
def extract(log: Path) -> dict[str, Any]:
    """Find the patterns of a log's requests: method and path, with * for each part with a digit.

    Gives `{"patterns", "others"}`: the number of requests by pattern, the most frequent first, and
    how many had none of these. The first 1,000 patterns are kept.
    """
    patterns: Counter[str] = Counter()
    others = 0
    for entry in _entries(log):
        pattern = _pattern(entry)
        if pattern in patterns or len(patterns) < _MAX_PATTERNS:
            patterns[pattern] += 1
        else:
            others += 1
    return {"patterns": dict(patterns.most_common()), "others": others}


@fanwise.action("logs.parse")
async def parse(
    entry: str, servers: dict[str, Any] | None = None, patterns: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Parse a line of an access log, and add what `data.enrich` and `analytics.extract` found.

    Gives `{"client", "time", "method", "path", "status", "bytes", "referer", "agent", "seconds",
    "region", "role", "pattern"}`: the time as ISO 8601, null for what isn't known, and the pattern
    "other" if it is none of `patterns`. Fails with `BadEntry` for what is no line of such a log.
    """
    # Work of microseconds: as `async def` it is spared the way into a thread and back.
    fields = _fields(entry)
    if fields is None:
        message = "the line isn't in the Combined Log Format."
        raise fanwise.ActionError(message, type="BadEntry", retry=False)
    seconds, pattern, named = fields["seconds"], _pattern(fields), _server(fields["path"])
    known = (servers or {}).get(named[1], {}) if named else {}
    return {
        "client": fields["client"],
        "time": _time(fields),
        "method": fields["method"],
        "path": fields["path"],
        "status": int(fields["status"]),
        "bytes": 0 if fields["bytes"] == "-" else int(fields["bytes"]),
        "referer": None if fields["referer"] == "-" else fields["referer"],
        "agent": None if fields["agent"] == "-" else fields["agent"],
        "seconds": None if seconds is None else float(seconds),
        "region": known.get("region"),
        "role": known.get("role"),
        "pattern": pattern if patterns is None or pattern in patterns else "other",
    }


@fanwise.action("logs.count")
def count(entries: list[Any]) -> dict[str, Any]:
    """Count parsed entries, so that `logs.report` can add up what came of many such lists.

    Gives `{"statuses", "errors", "regions", "slowest"}`: how many have each status; how many each
    status and pattern, of those with a status of 400 or more; how many are from each region; and
    the longest that an answer took in seconds, by path, of the ten slowest.
    """
    errors = Counter(
        f"{entry['status']} {entry['pattern']}" for entry in entries if entry["status"] >= 400
    )
    slowest: dict[str, float] = {}
    for entry in entries:
        if entry["seconds"] is not None:
            path = entry["path"].partition("?")[0]
            slowest[path] = max(slowest.get(path, 0.0), entry["seconds"])
    return {
        "statuses": dict(Counter(str(entry["status"]) for entry in entries)),
        "errors": dict(errors),
        "regions": dict(Counter(entry["region"] for entry in entries if entry["region"])),
        "slowest": _slowest(slowest),
    }


@fanwise.action("logs.report")
def report(counts: list[Any]) -> dict[str, Any]:
    """Add up what `logs.count` gave: the same keys, with the ten most frequent errors."""
    slowest: dict[str, float] = {}
    for each in counts:
        for path, seconds in each["slowest"].items():
            slowest[path] = max(slowest.get(path, 0.0), seconds)
    return {
        "statuses": dict(sorted(_added(counts, "statuses").items())),
        "errors": dict(_added(counts, "errors").most_common(_MAX_SHOWN)),
        "regions": dict(_added(counts, "regions").most_common()),
        "slowest": _slowest(slowest),
    }


def _parts(log: Path) -> list[Path]:
    """A log and what it was rotated into, the oldest first. Raises `ActionError`."""
    is_part = re.compile(re.escape(log.name) + r"(?:\.(\d+)(?:\.gz)?)?").fullmatch
    try:
        found = {file: part for file in log.parent.iterdir() if (part := is_part(file.name))}
    except OSError:
        found = {}
    if not found:
        message = f"there is no {log.name}, nor what it was rotated into. Name one: -p log=PATH"
        raise fanwise.ActionError(message, type="NoLog", retry=False)
    return sorted(found, key=lambda file: int(found[file][1] or 0), reverse=True)


def _bad_target(what: str) -> fanwise.ActionError:
    message = f"{what} Name another file: -p merged=PATH"
    return fanwise.ActionError(message, type="BadTarget", retry=False)


def _added(counts: list[Any], key: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each[key])
    return total


def _slowest(seconds: Mapping[str, float]) -> dict[str, float]:
    return dict(nlargest(_MAX_SHOWN, seconds.items(), key=lambda each: each[1]))


def _fields(line: str) -> dict[str, str] | None:
    """The parts of a line, or None if it is no entry; `seconds` may be None."""
    found = _entry(line)
    return found.groupdict() if found and found["month"] in _MONTHS else None


def _time(fields: Mapping[str, str]) -> str:
    # Twenty times as fast as datetime.strptime, which matters a million times over.
    zone = fields["zone"]
    day = f"{fields['year']}-{_MONTHS[fields['month']]}-{fields['day']}"
    return f"{day}T{fields['clock']}{zone[:3]}:{zone[3:]}"


def _pattern(fields: Mapping[str, str]) -> str:
    path = fields["path"].partition("?")[0]
    return f"{fields['method']} {_segment_with_digits.sub('*', path)}"


def _entries(log: Path) -> Iterator[dict[str, str]]:
    """The entries of a log; what is none is passed over."""
    with log.open(encoding="utf-8", errors="replace", newline="\n") as file:
        # No line is read beyond the bound, so that a file that has none isn't held as a whole.
        while line := file.readline(_CHUNK):
            if fields := _fields(line.rstrip("\r\n")):
                yield fields


def _chunks(file: Path) -> Iterator[bytes]:
    """The content of a log, unpacked if its name ends with .gz. Raises `ActionError`."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "it isn't what gzip has written, or not all of it"
        message = f"{file.name} can't be read: {why.lower()}. Mend it, or move it away."
        raise fanwise.ActionError(message, type="BadLog", retry=False) from None
