"""The actions of the log pipeline demo, on lines and files as servers and rotations leave them."""

import asyncio
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanwise.demos.logs
from fanwise.demos.monitor.access_log import combined_line
from fanwise.errors import ActionError
from fanwise.packs.folders import load_actions

FOLDER = Path(fanwise.demos.logs.__file__).parent
ACTIONS = load_actions(workflow_file=FOLDER / "workflow.yaml", pack_folders=[])
ENTRY = (
    '127.0.0.1 - - [05/Mar/2026:09:07:02 +0530] "GET /servers/web-7/health?deep=1 HTTP/1.1" 503 34 '
    '"https://example.org/" "curl/8.5" 0.012'
)


def action(name: str) -> Callable[..., Any]:
    spec = ACTIONS.get(name)
    assert spec is not None
    return spec.function


def parse(line: str, **shared: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = asyncio.run(action("logs.parse")(line, **shared))
    return parsed


def test_an_entry_is_parsed_and_enriched() -> None:
    """It has all that the line says, and what is known of the server that it names."""
    shared = {
        "servers": {"web-7": {"region": "eu", "role": "web"}},
        "patterns": {"GET /servers/*/health": 3},
    }
    assert parse(ENTRY, **shared) == {
        "client": "127.0.0.1",
        "time": "2026-03-05T09:07:02+05:30",
        "method": "GET",
        "path": "/servers/web-7/health?deep=1",
        "status": 503,
        "bytes": 34,
        "referer": "https://example.org/",
        "agent": "curl/8.5",
        "seconds": 0.012,
        "region": "eu",
        "role": "web",
        "pattern": "GET /servers/*/health",
    }


def test_what_is_not_known_is_null_or_other() -> None:
    """Dashes, a line without seconds, a server that nobody knows, a pattern that is rare."""
    line = '::1 - ada [05/Mar/2026:09:07:02 +0000] "GET /servers/gone HTTP/1.1" 444 - "-" "-"'
    parsed = parse(line, servers={}, patterns={})
    assert parsed["bytes"] == 0
    assert parsed["pattern"] == "other"
    for name in ("referer", "agent", "seconds", "region", "role"):
        assert parsed[name] is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Starting the server ...",
        ENTRY[: len(ENTRY) // 2],
        ENTRY[len(ENTRY) // 2 :],
        ENTRY.replace("Mar", "Mrz"),
        ENTRY.replace(" 503 ", " 5xx "),
        f"{ENTRY} {ENTRY}",
    ],
)
def test_what_is_no_entry_fails_for_good_and_is_not_quoted(line: str) -> None:
    """A line may hold anything, so the error has a type and no part of it."""
    with pytest.raises(ActionError) as caught:
        parse(line)
    assert caught.value.type == "BadEntry"
    assert not caught.value.retryable
    assert "servers" not in caught.value.message


@given(
    request=st.text(min_size=1).filter(lambda text: not any(map(str.isspace, text))),
    agent=st.text(),
    status=st.integers(100, 599),
    size=st.integers(0, 10**12),
)
@settings(deadline=None)
def test_every_line_that_the_server_writes_is_an_entry(
    request: str, agent: str, status: int, size: int
) -> None:
    """Whatever a client sends, escaped quotes included."""
    line = combined_line(
        host="127.0.0.1",
        received=datetime(2026, 3, 5, tzinfo=UTC),
        request=f"GET /{request} HTTP/1.1",
        status=status,
        size_bytes=size,
        referer=None,
        user_agent=agent,
        seconds=0.5,
    )
    parsed = parse(line)
    assert (parsed["status"], parsed["bytes"], parsed["seconds"]) == (status, size, 0.5)


def aggregate(log: Path) -> tuple[list[str], str]:
    """Names of the files merged, and what they were merged to."""
    merged = log.parent / "merged"
    found = action("logs.aggregate")(log, merged)
    assert found["log"] == str(merged)
    return found["files"], merged.read_text()


def test_rotated_logs_are_merged_from_the_oldest_on(tmp_path: Path) -> None:
    """By number, not by name; what only looks alike stays out."""
    (tmp_path / "access.log").write_text("new\n")
    (tmp_path / "access.log.2").write_text("middle\n")
    (tmp_path / "access.log.10.gz").write_bytes(gzip.compress(b"old\n"))
    for other in ("access.log.bak", "my-access.log", "accessXlog.1", "access.log.gz"):
        (tmp_path / other).write_text("no\n")
    assert aggregate(tmp_path / "access.log") == (
        ["access.log.10.gz", "access.log.2", "access.log"],
        "old\nmiddle\nnew\n",
    )


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    """The next file begins a line of its own."""
    (tmp_path / "access.log.1").write_text("whole\nhal")
    (tmp_path / "access.log").write_text("half\n")
    assert aggregate(tmp_path / "access.log")[1] == "whole\nhal\nhalf\n"


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)], ids=["plain", "gzip"])
def test_an_empty_log_is_merged_to_nothing(tmp_path: Path, content: bytes) -> None:
    """A server that nobody asked is no failure."""
    (tmp_path / ("access.log.1.gz" if content else "access.log")).write_bytes(content)
    assert aggregate(tmp_path / "access.log")[1] == ""


@pytest.mark.parametrize("folder", [".", "nowhere"])
def test_a_log_that_is_not_there_is_an_error(tmp_path: Path, folder: str) -> None:
    """It has a type, names the file, and leaves nothing behind."""
    with pytest.raises(ActionError, match=r"no access\.log") as caught:
        aggregate(tmp_path / folder / "access.log")
    assert caught.value.type == "NoLog"
    assert list(tmp_path.iterdir()) == []


PACKED = gzip.compress(ENTRY.encode() * 100)


@pytest.mark.parametrize(
    "content", [b"plain text", PACKED[:-20], PACKED[:20] + b"?" + PACKED[21:], None]
)
def test_a_log_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    """One that gzip has not packed, or not to its end, one that was damaged, and a folder."""
    bad = tmp_path / "access.log.1.gz"
    bad.mkdir() if content is None else bad.write_bytes(content)
    (tmp_path / "access.log").write_text("fine\n")
    with pytest.raises(ActionError, match=r"access\.log\.1\.gz can't be read") as caught:
        aggregate(tmp_path / "access.log")
    assert caught.value.type == "BadLog"
    assert not caught.value.retryable
    assert not (tmp_path / "merged").exists()


def lines_for(*paths: str) -> str:
    return "".join(ENTRY.replace("/servers/web-7/health?deep=1", path) + "\n" for path in paths)


@pytest.mark.parametrize("name", ["access.log", "./access.log.1"])
def test_no_log_is_overwritten_with_the_merged_one(tmp_path: Path, name: str) -> None:
    """The error names the parameter, and the logs stay as they are."""
    for log in ("access.log", "access.log.1"):
        (tmp_path / log).write_text(f"{ENTRY}\n")
    with pytest.raises(ActionError, match=r"would be overwritten.*-p merged=PATH") as caught:
        action("logs.aggregate")(tmp_path / "access.log", tmp_path / name)
    assert caught.value.type == "BadTarget"
    assert [log.read_text() for log in tmp_path.iterdir()] == [f"{ENTRY}\n"] * 2


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    """It isn't taken for one of the logs' own."""
    (tmp_path / "access.log").write_text(f"{ENTRY}\n")
    with pytest.raises(ActionError, match="can't be written: no such file or directory") as caught:
        action("logs.aggregate")(tmp_path / "access.log", tmp_path / "no" / "merged.log")
    assert caught.value.type == "BadTarget"


def test_the_servers_that_a_log_names_are_looked_up(tmp_path: Path) -> None:
    """Those of the inventory, and no others; of the rest the requests are counted."""
    log, inventory = tmp_path / "log", tmp_path / "servers.json"
    log.write_text(lines_for("/servers/a/health", "/servers/a/x", "/servers/b", "/") + "oops\n")
    servers = [{"name": name, "region": "eu", "role": "web", "rack": 3} for name in "ac"]
    inventory.write_text(json.dumps({"servers": servers}))
    assert action("data.enrich")(log, inventory) == {
        "servers": {"a": {"region": "eu", "role": "web"}},
        "unknown": 1,
    }


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"servers": [{}]}', '{"servers": [1]}'])
def test_an_inventory_that_is_not_one_is_an_error(tmp_path: Path, content: str | None) -> None:
    """Another attempt would read the same, so it isn't made."""
    inventory = tmp_path / "servers.json"
    if content is not None:
        inventory.write_text(content)
    with pytest.raises(ActionError, match=r"servers\.json") as caught:
        action("data.enrich")(tmp_path / "log", inventory)
    assert caught.value.type == "BadInventory"
    assert not caught.value.retryable


def test_patterns_are_requests_without_their_numbers_and_queries(tmp_path: Path) -> None:
    """The most frequent first; a part of a path with a digit may be anything."""
    log = tmp_path / "log"
    log.write_text(lines_for("/about", "/servers/a1/health", "/servers/b2/health?x=1") + "oops\n")
    assert action("analytics.extract")(log) == {
        "patterns": {"GET /servers/*/health": 2, "GET /about": 1},
        "others": 0,
    }


def test_patterns_are_bounded(tmp_path: Path) -> None:
    """A client that asks for ever new paths fills no memory: 1,000 are kept, the rest counted."""
    log = tmp_path / "log"
    letters = "abcdefghijklmnopqrstuvwxyz"
    log.write_text(
        lines_for(*(f"/{a}{b}{c}" for a in letters[:2] for b in letters for c in letters))
    )
    found = action("analytics.extract")(log)
    assert len(found["patterns"]) == 1_000
    assert found["others"] == 2 * 26 * 26 - 1_000


entries = st.fixed_dictionaries(
    {
        "path": st.sampled_from([f"/{number}?q" for number in range(30)]),
        "status": st.sampled_from([200, 404, 500]),
        "seconds": st.none() | st.floats(0, 9),
        "region": st.sampled_from([None, "eu", "us"]),
        "pattern": st.sampled_from(["GET /*", "other"]),
    }
)


@given(st.lists(entries, max_size=60), st.integers(1, 60))
@settings(deadline=None)
def test_a_report_does_not_depend_on_the_batches(read: list[dict[str, Any]], size: int) -> None:
    """What is counted in pieces and added up is what counting at once gives."""
    count, report = action("logs.count"), action("logs.report")
    batches = [read[start : start + size] for start in range(0, len(read), size)]
    told = report([count(batch) for batch in batches])
    assert told == report([count(read)])
    assert sum(told["statuses"].values()) == len(read)
    assert sum(told["errors"].values()) == sum(each["status"] >= 400 for each in read)
    longest = max((each["seconds"] for each in read if each["seconds"] is not None), default=None)
    assert next(iter(told["slowest"].values()), None) == longest
