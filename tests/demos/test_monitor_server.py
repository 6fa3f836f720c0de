"""The demo's server, started as a process and asked over HTTP."""

import asyncio
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fanwise.demos.monitor.fleet import Behaviour, Fault, Server, health_endpoint, make_fleet
from fanwise.demos.monitor.process import serving
from fanwise.errors import UsageError

FLEET = make_fleet(300, 7)
CALLS = 3

COMBINED = re.compile(
    r'(?P<host>\S+) \S+ \S+ \[(?P<received>[^]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" '
    r'(?P<status>\d{3}) (?P<size>\d+|-) "(?P<referer>(?:[^"\\]|\\.)*)" '
    r'"(?P<agent>(?:[^"\\]|\\.)*)" (?P<seconds>[\d.]+)'
)

Answer = tuple[int | None, Any, float]
"""Status (None without an answer), body, and seconds."""


async def ask(session: aiohttp.ClientSession, url: str) -> Answer:
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        async with session.get(url) as response:
            body = await response.json() if response.content_type == "application/json" else None
            return response.status, body, loop.time() - started
    except aiohttp.ServerDisconnectedError:
        return None, None, loop.time() - started


async def ask_all(url: str, servers: Sequence[Server]) -> tuple[list[list[Answer]], Any]:
    """The answers of each server to `CALLS` calls one after the other, and the stats."""

    async def ask_one(server: Server) -> list[Answer]:
        return [await ask(session, health_endpoint(url, server)) for _ in range(CALLS)]

    # A connection for each call: aiohttp repeats a call whose kept connection was closed.
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        answers = await asyncio.gather(*map(ask_one, servers))
        return answers, (await ask(session, f"{url}/stats"))[1]


class Conversation:
    """What a whole fleet answered, with the stats and the access log of the server."""

    def __init__(self, folder: Path) -> None:
        log = folder / "access.log"
        with serving(servers=len(FLEET), access_log=log) as url:
            answers, self.stats = asyncio.run(ask_all(url, FLEET))
        self.answers = dict(zip(FLEET, answers, strict=True))
        self.log_lines = log.read_text().splitlines()

    def of(self, behaviour: Behaviour) -> Iterator[tuple[Server, list[Answer]]]:
        for server, answers in self.answers.items():
            if server.behaviour is behaviour:
                yield server, answers


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    return Conversation(tmp_path_factory.mktemp("server"))


def test_healthy_servers_answer_200_at_each_call(conversation: Conversation) -> None:
    """A server without a fault says that it is well."""
    for server, answers in conversation.of(Behaviour.HEALTHY):
        assert [status for status, _, _ in answers] == [200] * CALLS
        assert answers[0][1] == {"status": "ok", "server": server.name}


def test_slow_servers_take_their_time(conversation: Conversation) -> None:
    """A slow server answers 200, and never before its delay has passed."""
    for server, answers in conversation.of(Behaviour.SLOW):
        for status, _, seconds in answers:
            assert status == 200
            assert seconds >= server.delay_s


def test_recovering_servers_are_busy_for_their_first_calls(conversation: Conversation) -> None:
    """A recovering server answers 503 once or twice, and 200 from then on."""
    for server, answers in conversation.of(Behaviour.RECOVERING):
        busy = [503] * server.busy_calls
        assert [status for status, _, _ in answers] == busy + [200] * (CALLS - server.busy_calls)


def test_failing_servers_show_their_fault_at_each_call(conversation: Conversation) -> None:
    """A fault never passes, whatever kind it is."""
    told = {
        Fault.ERROR: (500, "error"),
        Fault.UNAVAILABLE: (503, "error"),
        Fault.MISSING: (404, "error"),
        Fault.DEGRADED: (200, "degraded"),
        Fault.CLOSED: (None, None),
    }
    for server, answers in conversation.of(Behaviour.FAILING):
        assert server.fault is not None
        seen = [(status, body["status"] if body else None) for status, body, _ in answers]
        assert seen == [told[server.fault]] * CALLS


def test_the_stats_count_what_was_answered(conversation: Conversation) -> None:
    """The counts are the truth that a client can be compared with."""
    statuses = Counter(
        str(status or 444) for answers in conversation.answers.values() for status, _, _ in answers
    )

    assert conversation.stats["by_status"] == statuses
    assert conversation.stats["requests"] == CALLS * len(FLEET)
    assert conversation.stats["by_server"] == {server.name: CALLS for server in FLEET}
    assert conversation.stats["servers"] == Counter(server.behaviour for server in FLEET)
    assert conversation.stats["recovered"] == conversation.stats["servers"]["recovering"]
    assert 1 <= conversation.stats["most_at_once"] <= len(FLEET)


def test_the_access_log_has_a_line_for_each_request(conversation: Conversation) -> None:
    """The log is in the Combined Log Format, and agrees with the stats."""
    lines = [COMBINED.fullmatch(line) for line in conversation.log_lines]

    assert all(lines)
    checks = [line for line in lines if line and "/health" in line["request"]]
    assert len(checks) == len(lines) - 1 == conversation.stats["requests"]
    assert Counter(line["status"] for line in checks) == conversation.stats["by_status"]
    for line in checks:
        assert datetime.strptime(line["received"], "%d/%b/%Y:%H:%M:%S %z").tzinfo
        assert (line["size"] == "-") == (line["status"] == "444")
        assert float(line["seconds"]) >= 0


def test_an_all_healthy_fleet_has_nothing_to_report() -> None:
    """With --all-healthy each server answers 200."""
    with serving(servers=20, all_healthy=True) as url:
        answers, stats = asyncio.run(ask_all(url, make_fleet(20, 7, all_healthy=True)))

    assert {status for calls in answers for status, _, _ in calls} == {200}
    assert stats["servers"] == {"healthy": 20}


def test_an_unknown_server_is_not_found() -> None:
    """A name that isn't in the fleet is 404, which isn't counted as a health check."""

    async def converse(url: str) -> tuple[Answer, Answer]:
        async with aiohttp.ClientSession() as session:
            return await ask(session, f"{url}/servers/nix/health"), await ask(
                session, f"{url}/stats"
            )

    with serving(servers=1) as url:
        unknown, stats = asyncio.run(converse(url))

    assert unknown[0] == 404
    assert stats[1]["requests"] == 0
    assert stats[1]["by_status"] == {"404": 1}


def start() -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "fanwise.demos.monitor.server", "--servers", "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, process.stdout.readline()


def test_the_server_ends_when_its_input_closes() -> None:
    """Closing the standard input is enough to end it, and it ends cleanly."""
    process, url = start()
    with process:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", url)
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_the_server_ends_on_sigterm() -> None:
    """SIGTERM ends it cleanly."""
    process, _ = start()
    with process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_the_server_ends_when_its_parent_is_killed() -> None:
    """A parent that is killed with -9 leaves no server behind."""
    script = (
        "import sys\n"
        "from fanwise.demos.monitor.process import serving\n"
        "with serving(servers=3) as url:\n"
        "    print(url, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline().startswith("http://")
        parent.kill()
        # The server shares the parent's standard error, which ends only when both have ended.
        parent.communicate(timeout=60)


def test_a_server_that_can_not_start_is_an_error(tmp_path: Path) -> None:
    """A log that can't be opened ends the start with an error, not with an empty URL."""
    server = serving(servers=3, access_log=tmp_path / "missing" / "access.log")
    with pytest.raises(UsageError, match="didn't start"), server:
        pass
