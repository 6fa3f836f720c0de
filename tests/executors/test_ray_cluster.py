"""A Ray cluster of two nodes: the walk of the documentation, its losses, and its refusals."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

import fanwise
from fanwise.executors import ray as ray_executor
from fanwise.executors.frames import Refused
from fanwise.wiring import load_plan, open_engine, read_settings

LARGE_TEXT = 90_000_000
LARGE = 200_000_000  # bytes
ON_NODES = {"FANWISE_SECRET_THERE": "CANARY-on-the-node"}
IN_ENGINE = {**ON_NODES, "FANWISE_SECRET_HERE": "CANARY-of-the-engine"}
BIN = Path(sys.executable).parent
PACK = """
import os, signal
from pathlib import Path
import fanwise

def parent(process):
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.partition("PPid:")[2].split()[0])

@fanwise.action("walk.where")
def where(kills: str = "", folder: str = ".") -> int:
    actor = os.getppid()
    node = parent(actor)
    if kills:
        try:
            Path(folder, kills).touch(exist_ok=False)
        except FileExistsError:
            return node
        killed = actor if kills == "actor" else int(kills)
        os.kill(killed, signal.SIGKILL)
        while killed in (actor, node):
            signal.pause()
    return node

@fanwise.action("walk.reveal")
async def reveal(secret: str) -> list:
    print("it is", secret)
    return [len(secret), secret]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[SimpleNamespace]:
    """Two nodes with a token of their own, of which one has a GPU, as far as Ray knows."""
    address = f"127.0.0.2:{free_port()}"
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_local_fs_capacity_threshold": "0",  # no disk for what finds no room in memory
    }
    of_nodes = environment | ON_NODES

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [BIN / "ray", "start", "--num-cpus", "1", *arguments, "--block"]
        store = ["--object-store-memory", "80000000"]
        started = subprocess.Popen(
            [*command, *store],
            env=of_nodes,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert started.stdout is not None
        assert any(b"runtime started" in line for line in started.stdout)
        return started

    place = ["--temp-dir", f"/tmp/fw-{os.getpid()}", "--include-dashboard", "false"]
    port = address.rpartition(":")[2]
    head = start("--head", "--node-ip-address", "127.0.0.2", "--port", port, *place)
    resources = ["--resources", '{"gpu": 1}']
    other = start("--address", address, "--node-ip-address", "127.0.0.3", *resources)
    yield SimpleNamespace(address=address, environment=environment)
    for each in (other, head):
        os.killpg(each.pid, signal.SIGKILL)
        each.communicate()
    shutil.rmtree(f"/tmp/fw-{os.getpid()}", ignore_errors=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all walks, and of their store."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "packs" / "walk").mkdir(parents=True)
    (folder / "packs" / "walk" / "actions.py").write_text(PACK)
    return folder


@contextmanager
def walking(
    cluster: SimpleNamespace, folder: Path, secrets: Mapping[str, str] = {}
) -> Iterator[Callable[..., fanwise.Run]]:
    """Runs workflows on the cluster, with one engine that has these secrets."""
    settings = read_settings(
        store=str(folder / "runs.db"),
        executor="ray",
        ray=cluster.address,
        environment={**cluster.environment, **secrets},
    )
    settings = replace(settings, limits=fanwise.Limits(snapshot_bytes=LARGE))
    with open_engine(settings=settings) as engine:

        def run(text: str, **parameters: str) -> fanwise.Run:
            file = folder / "flow.yaml"
            file.write_text(text.replace("FOLDER", str(folder)))
            return engine.run(load_plan(file, settings), parameters)

        yield run


@pytest.fixture(scope="module")
def walk(cluster: SimpleNamespace, folder: Path) -> Iterator[Callable[..., fanwise.Run]]:
    """Runs workflows on the cluster."""
    with walking(cluster, folder, IN_ENGINE) as run:
        yield run


def test_an_object_store_without_room_is_told_in_one_line_and_the_run_goes_on_elsewhere(
    cluster: SimpleNamespace, folder: Path
) -> None:
    """What is recorded stays.

    Its engine has no secrets, which take seconds to look for in so much text. It comes first, while
    no other engine has the CPUs.
    """
    text = """
        parameters: {large: {required: true}}
        tasks:
          - {name: first, action: core.echo, with-items: [1, 2], input: {value: "{{ item }}"}}
          - name: fan
            action: core.echo
            with-items: [1, 2]
            input: {value: "{{ item + parameters.large | length }}"}
        output: "{{ task.fan.output }}"
        """
    with walking(cluster, folder) as walk:
        run = walk(text, large="x" * LARGE_TEXT)
    assert run.tasks["first"].status is fanwise.Status.SUCCEEDED
    error = run.tasks["fan"].error
    assert error is not None
    assert error.type == "WorkerRefused"
    assert re.fullmatch(
        r"the object store of the Ray cluster has no room for a snapshot of 90,\d{3},\d{3} bytes. "
        "Give the nodes more with `ray start --object-store-memory`.",
        error.message,
    )
    again = fanwise.retry(run.id, store=str(folder / "runs.db"), executor="local")
    assert [each["value"] for each in again.output] == [LARGE_TEXT + 1, LARGE_TEXT + 2]


FAN = "with-items: {range: 60}, action: walk.where"


def test_items_run_on_all_nodes_or_on_those_that_their_task_names(
    walk: Callable[..., fanwise.Run],
) -> None:
    """By the names of the resources that nodes were started with."""
    run = walk(
        f"""
        tasks: [{{name: all, {FAN}}}, {{name: gpu, {FAN}, runs-on: [gpu]}}]
        output:
          - "{{{{ task.all.output | unique | list }}}}"
          - "{{{{ task.gpu.output | unique | list }}}}"
        """
    )
    everywhere, there = run.output
    assert len(everywhere) == 2
    assert len(there) == 1
    assert {*there} < {*everywhere}


def test_a_secret_is_that_of_the_node(walk: Callable[..., fanwise.Run]) -> None:
    """And masked, in results and logs."""
    run = walk(
        """
        tasks: [{name: a, action: walk.reveal, input: {secret: "{{ secrets.THERE }}"}}]
        output: "{{ task.a.output }}"
        """
    )
    assert run.output == [len("CANARY-on-the-node"), "***"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'tasks: [{name: a, action: walk.reveal, input: {secret: "{{ secrets.HERE }}"}}]',
            "has no FANWISE_SECRET_HERE.",
        ),
        (
            """
            parameters: {p: {secret: true, required: true}}
            tasks: [{name: a, action: walk.reveal, input: {secret: "{{ parameters.p }}"}}]
            """,
            "names parameters.p, which is secret, and secrets don't go through Ray.",
        ),
        (
            """
            tasks: [{name: a, action: walk.reveal, with-items: ["{{ secrets.HERE }}"],
                input: {secret: "{{ item }}"}}]
            """,
            "the item holds a secret, and secrets don't go there.",
        ),
        (
            "tasks: [{name: a, action: walk.where, runs-on: [gpu, tpu]}]",
            'no node of the Ray cluster has the resource "tpu".',
        ),
        (
            "tasks: [{name: a, action: walk.where, executor: local, runs-on: [gpu]}]",
            "chooses nodes of a Ray cluster, and the action runs in the executor local.",
        ),
    ],
)
def test_what_the_cluster_lacks_fails_the_task_in_one_line(
    walk: Callable[..., fanwise.Run], text: str, message: str
) -> None:
    """With the remedy behind it."""
    given = {"p": "CANARY-given"} if "parameters:" in text else {}
    task = walk(text, **given).tasks["a"]
    assert task.error is not None
    told = task.failures[0]["error"]["message"] if task.failures else task.error.message
    assert message in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("token", ["f" * 64, None])
def test_a_wrong_token_is_told_in_one_line_and_the_run_goes_on_elsewhere(
    cluster: SimpleNamespace, tmp_path: Path, token: str | None
) -> None:
    """So is a token that is missing."""
    environment = {key: value for key, value in cluster.environment.items() if "AUTH" not in key}
    if token is not None:
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    flow = {"tasks": [{"name": "a", "action": "core.echo", "input": {"value": 7}}]}
    settings = read_settings(
        store=str(tmp_path / "runs.db"),
        executor="ray",
        ray=cluster.address,
        environment=environment,
    )
    with open_engine(settings=settings) as engine:
        run = engine.run(load_plan(flow, settings))
    error = run.tasks["a"].error
    assert error is not None
    assert error.message == (
        f"the Ray cluster at {cluster.address} can't be reached: it wants another token. "
        "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as where the cluster was started."
    )
    again = fanwise.retry(run.id, store=str(tmp_path / "runs.db"), executor="process")
    assert again.status is fanwise.Status.SUCCEEDED


@pytest.mark.parametrize("lost", ["actor", "node"])
def test_an_actor_or_a_node_that_is_killed_in_the_middle_loses_no_item(
    walk: Callable[..., fanwise.Run], lost: str
) -> None:
    """What it ran is made once more, elsewhere. The node isn't the head, and is gone then."""
    other = "tasks: [{name: a, action: walk.where, runs-on: [gpu]}]\noutput: '{{ task.a.output }}'"
    killed = lost if lost == "actor" else walk(other).output
    run = walk(
        f"""
        tasks:
          - {{name: a, {FAN},
              input: {{folder: FOLDER, kills: "{{{{ '{killed}' if item == 20 else '' }}}}"}}}}
        output: "{{{{ task.a.output | length }}}}"
        """
    )
    assert (run.status, run.output) == (fanwise.Status.SUCCEEDED, 60)


def test_a_worker_of_a_cluster_that_has_gone_refuses_its_visit() -> None:
    """Also the worker that is started only then, as for a retry that comes later."""
    from fanwise.executors.ray_cluster import RayCluster, RayWorker

    async def start() -> list[object]:
        cluster = RayCluster(f"127.0.0.1:{free_port()}", 1, os.environ, 1_000)
        with cluster.attached():
            os.kill(cluster.pid, signal.SIGKILL)
            heard: asyncio.Queue[object] = asyncio.Queue()
            guest = SimpleNamespace(heard=lambda _, message: heard.put_nowait(message))
            said = []
            for visit in (1, 2):
                worker = RayWorker(cluster, (), 1_000, lambda _: None)
                worker.join(visit, guest)
                said.append(await heard.get())
            assert not cluster.is_open
        return said

    for visit, message in enumerate(asyncio.run(start()), 1):
        assert isinstance(message, Refused)
        assert message.visit == visit
        assert "has gone." in message.message
        assert "fanwise retry" in message.hint


def test_a_cluster_that_nobody_has_started_is_told_in_one_line(tmp_path: Path) -> None:
    """At once, and not after the minutes that Ray tries for."""
    flow = {"tasks": [{"name": "a", "action": "core.noop", "executor": "ray"}]}
    settings = read_settings(store=str(tmp_path / "runs.db"), ray=f"127.0.0.1:{free_port()}")
    with open_engine(settings=settings) as engine:
        error = engine.run(load_plan(flow, settings)).tasks["a"].error
    assert error is not None
    assert error.message.endswith(
        "can't be reached: Connection refused. Start it with `ray start --head`, and give the "
        "address that this prints."
    )


def test_without_the_package_ray_its_executor_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of fanwise doesn't need it."""
    monkeypatch.setattr(ray_executor, "find_spec", lambda _: None)
    flow = {"tasks": [{"name": "a", "action": "core.noop", "executor": "ray"}]}
    error = fanwise.run(flow, store=str(tmp_path / "runs.db")).tasks["a"].error
    assert error is not None
    assert "pip install 'fanwise[ray]'" in error.message


def test_a_node_with_other_versions_is_told_in_one_line() -> None:
    """Of fanwise, of Python, and of a module that it doesn't have at all."""
    from fanwise.executors.frames import PROTOCOL, Hello
    from fanwise.worker.ray_cluster import Node
    from fanwise.worker.ray_link import difference, start_failure

    node = Node("1", "gpu-7", 4, frozenset())
    python = ".".join(map(str, sys.version_info[:3]))
    assert difference(node, Hello(PROTOCOL, fanwise.__version__, python)) == ""
    for hello in (Hello(PROTOCOL, "0.1", python), Hello(PROTOCOL, fanwise.__version__, "3.9.1")):
        said = difference(node, hello)
        assert f"gpu-7 of the Ray cluster has fanwise {hello.fanwise} and Python" in said
        assert f"Python {hello.python}, and the engine has" in said
    assert difference(node, Hello(PROTOCOL + 1, fanwise.__version__, python)) != ""
    lacking = start_failure(node, RuntimeError("ModuleNotFoundError:\n No module named 'fanwise'"))
    assert lacking == 'the node gpu-7 of the Ray cluster has no module "fanwise".'
