"""The monitoring demo's workflow and its actions, against the demo's real server."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import fanwise.demos.monitor
from fanwise.actions.resources import close_resources
from fanwise.context import WorkflowContext
from fanwise.definition import load
from fanwise.demos.monitor.fleet import Behaviour, Fault, Server, make_fleet
from fanwise.demos.monitor.inventory import health_endpoint, write_inventory
from fanwise.demos.monitor.process import serving
from fanwise.errors import ActionError
from fanwise.expressions import compile_template
from fanwise.model import ErrorInfo, Status, TaskResult
from fanwise.packs.folders import load_actions
from fanwise.values import freeze

FOLDER = Path(fanwise.demos.monitor.__file__).parent
WORKFLOW = FOLDER / "workflow.yaml"
FLEET = make_fleet(1000, 7)


def action(name: str) -> Callable[..., Any]:
    spec = load_actions(workflow_file=WORKFLOW, pack_folders=[]).get(name)
    assert spec is not None
    return spec.function


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(servers=len(FLEET)) as url:
        yield url


Outcome = dict[str, Any] | ActionError


def check(url: str, servers: Sequence[Server], *, times: int = 1) -> dict[str, list[Outcome]]:
    """The outcomes of checking each server so many times, by name."""
    check_http = action("monitoring.check_http")

    async def check_one(server: Server) -> Outcome:
        try:
            result = await check_http(health_endpoint(url, server))
        except ActionError as error:
            return error
        assert isinstance(result, dict)
        return result

    async def check_all() -> dict[str, list[Outcome]]:
        try:
            return {
                server.name: [await check_one(server) for _ in range(times)] for server in servers
            }
        finally:
            await close_resources()

    return asyncio.run(check_all())


def test_a_healthy_server_passes_the_check(url: str) -> None:
    """The result has the status and the seconds that the answer took."""
    server = next(server for server in FLEET if server.behaviour is Behaviour.HEALTHY)

    (result,) = check(url, [server])[server.name]

    assert isinstance(result, dict)
    assert result["status"] == 200
    assert result["seconds"] >= server.delay_s
    assert set(result) == {"status", "seconds"}


def test_each_fault_fails_the_check_with_its_type(url: str) -> None:
    """A workflow can tell what is worth another try from what isn't."""
    types = {
        Fault.ERROR: "Unavailable",
        Fault.UNAVAILABLE: "Unavailable",
        Fault.MISSING: "UnexpectedStatus",
        Fault.CLOSED: "ConnectionFailed",
        Fault.DEGRADED: "Unhealthy",
    }
    failing = [server for server in FLEET if server.fault]

    outcomes = check(url, failing)

    for server in failing:
        assert server.fault is not None
        (error,) = outcomes[server.name]
        assert isinstance(error, ActionError)
        assert error.type == types[server.fault]


def test_a_recovering_server_passes_within_the_workflow_s_retries(url: str) -> None:
    """It is unavailable once or twice, and then well."""
    recovering = [server for server in FLEET if server.busy_calls][:10]

    outcomes = check(url, recovering, times=3)

    for server in recovering:
        seen = [
            outcome.type if isinstance(outcome, ActionError) else outcome["status"]
            for outcome in outcomes[server.name]
        ]
        assert seen == ["Unavailable"] * server.busy_calls + [200] * (3 - server.busy_calls)


def test_the_servers_of_an_inventory_are_listed(tmp_path: Path) -> None:
    """The action gives what the inventory holds, the health endpoints included."""
    inventory = tmp_path / "servers.json"
    write_inventory(inventory, "http://127.0.0.1:1", FLEET)

    servers = action("cloud.list_servers")(inventory)["servers"]

    assert len(servers) == 1000
    assert servers[0] == {
        "name": "web-001",
        "region": FLEET[0].region,
        "role": "web",
        "health_endpoint": "http://127.0.0.1:1/servers/web-001/health",
    }


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"[]", b"{}", b'{"servers": {}}'])
def test_an_inventory_that_is_not_one_fails_for_good(tmp_path: Path, content: bytes | None) -> None:
    """Another attempt would read the same, so it isn't made."""
    inventory = tmp_path / "servers.json"
    if content is not None:
        inventory.write_bytes(content)

    with pytest.raises(ActionError) as caught:
        action("cloud.list_servers")(inventory)

    assert caught.value.type == "BadInventory"
    assert not caught.value.retryable


def check_task() -> Any:
    """The task of the workflow that checks the servers."""
    definition = load(WORKFLOW.read_text(), file=str(WORKFLOW))
    (task,) = [task for task in definition.tasks if task.name == "check_health"]
    return task


@pytest.mark.parametrize(
    ("type", "again"),
    [
        ("Unavailable", True),
        ("ConnectionFailed", True),
        ("Timeout", True),
        ("UnexpectedStatus", False),
        ("Unhealthy", False),
    ],
)
def test_the_workflow_tries_again_only_what_may_pass(type: str, again: bool) -> None:
    """What a server says for good isn't asked a second time."""
    failure = TaskResult(Status.FAILED, error=ErrorInfo(type, "the check failed"))
    template = compile_template(check_task().retry.when)

    assert template.evaluate(WorkflowContext(), failure) is again


def test_the_workflow_counts_slow_servers_among_failed_ones() -> None:
    """The result of a failed check is null, and the count of slow ones passes over it."""
    results = [{"status": 200, "seconds": 1.4}, None, {"status": 200, "seconds": 0.02}]
    outcome = TaskResult(Status.SUCCEEDED, output=freeze(results))
    template = compile_template(check_task().publish["slow"])

    assert template.evaluate(WorkflowContext(), outcome) == 1


def test_the_workflow_tolerates_the_servers_that_always_fail() -> None:
    """The demo succeeds with failures told."""
    failing = sum(server.fault is not None for server in FLEET)

    assert check_task().tolerate.percent >= 100 * failing / len(FLEET)
