"""`fanwise.connect`: a server's runs from Python code, by the names that a store has."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

import fanwise
from fanwise.client.backend import ServerBackend
from fanwise.client.requests import Requests, read_address
from fanwise.errors import (
    FanwiseError,
    NothingToRetryError,
    ParameterError,
    RunExistsError,
    RunNotDrivenError,
    RunNotFoundError,
    RunNotOverError,
    RunOverError,
    ServerError,
    TaskNotFoundError,
    UsageError,
    WaitNotFoundError,
    WaitSettledError,
)
from fanwise.model import Emitted, OrderKind
from fanwise.run_store import Log
from tests.server.served import Served, serving

FLOW = """\
name: monitor
parameters: {hosts: {type: array, default: [a]}}
tasks:
  - name: check
    with-items: "{{ parameters.hosts }}"
    label: "{{ item.name }}"
    action: core.shell
    input: {command: [sh, -c, "echo {{ item.name }}; exit {{ item.status }}"]}
    on-item-error: continue
  - {name: long, needs: [check], action: core.echo, input: {text: "{{ 'x' * 5000 }}"}}
  - name: lines
    needs: [long]
    with-items: [1, 2]
    action: core.echo
    input: {text: "{{ 'line\\n' * 20000 }}"}
output: "{{ task.long.output.text | length }}"
"""
ASKS = """\
name: asks
tasks: [{name: ask, action: core.ask, input: {prompt: Go on?, options: [approve, reject]}}]
"""
HOSTS = [{"name": f"hé-{n}", "status": 3 if n in (4, 7) else 0} for n in range(10)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a store with runs that are over, and some that wait for an answer."""
    folder = tmp_path_factory.mktemp("served")
    flow = folder / "monitor.yaml"
    flow.write_text(FLOW)
    (folder / "asks.yaml").write_text(ASKS)
    store = str(folder / "runs.db")
    fanwise.run(flow, {"hosts": HOSTS}, run_id="first", tags=["nightly"], store=store)
    fanwise.run(flow, {"hosts": []}, run_id="second", store=store)
    fanwise.run(flow, {"hosts": HOSTS[4:5]}, run_id="again", store=store)
    for run_id in ("waits", "answered", "resumed"):
        fanwise.run(folder / "asks.yaml", run_id=run_id, store=store)
    with serving(folder, store) as made:
        yield made


@pytest.fixture
def remote(served: Served) -> Iterator[fanwise.RemoteStore]:
    with fanwise.connect(served.origin, served.tokens["admin"] + "\n") as made:
        yield made


def _plain(found: object) -> object:
    """Records as plain JSON: times in whole seconds, since a server tells them in milliseconds."""
    return _whole(msgspec.to_builtins(found))


def _whole(value: object) -> object:
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value > 10**9 else value


def _by_path(logs: Iterable[Log]) -> object:
    """Logs in one order: a server gives them as they came, and a store by tasks and indexes."""
    return _plain(sorted(logs, key=lambda log: (log.path, log.attempt)))


def test_what_a_store_reads_a_server_gives(served: Served, remote: fanwise.RemoteStore) -> None:
    """By the same names, as the same records: also long outputs, filters and logs."""
    with fanwise.open_store(served.folder / "runs.db") as store:
        for run in store.runs():
            assert _plain(remote.get(run.id)) == _plain(store.get(run.id))
            assert _plain(remote.tasks(run.id)) == _plain(store.tasks(run.id))
            assert _by_path(remote.logs(run.id)) == _by_path(store.logs(run.id))
        assert len(list(store.logs("first"))) > 2
        for path in ("check", "check[4]", "none"):
            assert _by_path(remote.logs("first", path)) == _by_path(store.logs("first", path))
        for filters in (
            {},
            {"status": "failed"},
            {"error": "CommandFailed"},
            {"label": "é-3"},
            {"slower_s": 1e9},
        ):
            for place in (("first", "check"), ("second", "lines")):
                here = _plain(list(store.items(*place, **filters)))
                assert _plain(list(remote.items(*place, **filters))) == here, filters
        for place in (("first", "check"), ("second", "lines")):
            assert list(remote.outputs(*place)) == list(store.outputs(*place))
        for conditions in (
            {},
            {"status": "waiting"},
            {"status": "running"},
            {"workflow": "monitor"},
            {"tags": ["nightly"]},
            {"since": datetime.now(UTC)},
            {"since": 0.0, "tags": "none"},
        ):
            expected = _plain(list(store.runs(**conditions)))
            assert _plain(list(remote.runs(**conditions))) == expected, conditions


def test_runs_are_read_past_the_first_page(
    served: Served, remote: fanwise.RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the cursor of each page; so are logs."""
    monkeypatch.setattr("fanwise.client.remote._PAGE", 1)
    expected = {"first", "second", "waits", "answered"}
    found = [run.id for run in remote.runs()]
    assert expected <= set(found)
    assert len(found) == len(set(found))
    assert len(list(remote.logs("first", "check"))) == len(HOSTS)


def test_a_run_is_started_once_for_a_key(served: Served, remote: fanwise.RemoteStore) -> None:
    """It waits for an engine, with its parameters and tags."""
    run_id = remote.start("monitor", {"hosts": HOSTS[:1]}, tags="now", idempotency_key="key 1")
    assert remote.start("monitor", {"hosts": HOSTS[:1]}, tags=["now"], idempotency_key="key 1") == (
        run_id
    )
    run = remote.get(run_id)
    assert (run.status, run.is_interrupted, run.tags) == ("pending", False, ("now",))
    assert run.parameters["hosts"] == HOSTS[:1]
    with pytest.raises(ServerError) as caught:
        remote.start("monitor", idempotency_key="key 1")
    assert (caught.value.reason, caught.value.status) == ("key-reused", 422)
    remote.cancel(run_id)
    assert remote.get(run_id).status == "cancelled"
    remote.delete(run_id)
    with pytest.raises(RunNotFoundError):
        remote.get(run_id)


def test_a_retry_and_a_resume_wait_for_an_engine(
    served: Served, remote: fanwise.RemoteStore
) -> None:
    """As orders for it."""
    remote.retry("again", from_task="check")
    remote.resume("resumed", force=True)
    numbers = [run.run_no for run in map(served.store.run, ("again", "resumed")) if run]
    places = served.store.submissions(numbers)
    orders = [order for number in numbers if (order := places[number].order) is not None]
    assert [(each.kind, each.from_task, each.force) for each in orders] == [
        (OrderKind.RETRY, "check", False),
        (OrderKind.RESUME, None, True),
    ]


def test_questions_and_signals_are_answered(served: Served, remote: fanwise.RemoteStore) -> None:
    """The first answer counts, and a signal that nothing waits for is kept."""
    with pytest.raises(WaitNotFoundError) as missed:
        remote.answer("answered", "none", "approve")
    assert (missed.value.run_id, missed.value.path) == ("answered", "none")
    assert remote.signal("answered", "go", payload={"n": [1]}) is None
    assert remote.answer("answered", "ask", "approve", by="ada")
    with pytest.raises(WaitSettledError, match="ada"):
        remote.answer("answered", "ask", "reject")


def test_errors_are_those_of_the_store(served: Served, remote: fanwise.RemoteStore) -> None:
    """With their facts and their hints."""
    with fanwise.open_store(served.folder / "runs.db") as store:
        for call in (
            lambda it: it.get("secand"),
            lambda it: list(it.items("first", "chek")),
            lambda it: it.tasks("first/.."),
            lambda it: it.runs(status="lost"),
            lambda it: it.runs(since="yesterday"),
        ):
            with pytest.raises(FanwiseError) as there:
                call(remote)
            with pytest.raises(type(there.value)) as here:
                call(store)
            assert (str(there.value), vars(there.value)) == (str(here.value), vars(here.value))
    for refused, kind in (
        (lambda: remote.retry("waits"), RunNotOverError),
        (lambda: remote.delete("waits"), RunNotOverError),
        (lambda: remote.retry("second"), NothingToRetryError),
        (lambda: remote.pause("waits"), RunNotDrivenError),
        (lambda: remote.start("monitor", run_id="second"), RunExistsError),
        (lambda: remote.start("monitor", {"hosts": "x"}), ParameterError),
        (lambda: remote.signal("second", "go"), RunOverError),
        (lambda: list(remote.outputs("second", "none")), TaskNotFoundError),
        (lambda: list(remote.outputs("second", "long")), UsageError),
        (lambda: remote.get(1), UsageError),  # type: ignore[arg-type]
        (lambda: remote.start("monitor", idempotency_key="a\nb"), UsageError),
        (lambda: remote.start("monitor", idempotency_key="☃"), UsageError),
        (lambda: remote.start("monitor", {"hosts": ["x" * 2**23]}), ServerError),
    ):
        with pytest.raises(kind):
            refused()
    with pytest.raises(RunOverError) as over:
        remote.cancel("second")
    assert (over.value.run_id, over.value.status) == ("second", "succeeded")


def test_what_a_token_may_not_is_refused(served: Served) -> None:
    """By the code of the server's refusal."""
    with pytest.raises(ServerError) as caught:
        fanwise.connect(served.origin, "fanwise_forged")
    assert (caught.value.reason, caught.value.status) == ("unauthenticated", 401)
    reader = fanwise.connect(served.origin + "/", served.tokens["read"])
    assert reader.get("second").status == "succeeded"
    with pytest.raises(ServerError, match="forbidden") as refused:
        reader.delete("second")
    assert refused.value.status == 403
    with pytest.raises(ServerError) as elsewhere:
        fanwise.connect(served.origin + "/below", served.tokens["read"])
    assert elsewhere.value.reason == "not-found"


@pytest.mark.parametrize(
    ("url", "token", "named"),
    [
        ("example.com", "t", "url"),
        ("ftp://example.com", "t", "url"),
        ("http://", "t", "url"),
        ("http://a:b", "t", "url"),
        ("http://a?b=1", "t", "url"),
        (None, "t", "url"),
        ("http://a", "t", "https"),
        ("https://ada:pw@a", "t", "url"),
        ("https://a", None, "token"),
        ("https://a", "a\nb", "token"),
        ("https://a", "", "token"),
    ],
)
def test_an_address_or_a_token_that_is_none_is_told(url: str, token: str, named: str) -> None:
    """Before anything is sent, and without the token."""
    with pytest.raises(UsageError, match=f"(?i)^(the |`){named}|without {named}"):
        fanwise.connect(url, token)


ITEM = (
    b'{"index":0,"label":null,"status":"succeeded","attempts":1,"started_at":"2026-01-01T00:00:00Z",'
    b'"duration_s":1.0,"output":1,"error":null,"item":null,"earlier":[]}\n'
)


@contextmanager
def _answering(*answers: bytes) -> Iterator[str]:
    """The address of something that gives these bytes, a connection each, and then is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for text in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(2**16)
                    connection.sendall(text)
            listener.close()

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def _sent(body: bytes, status: str = "200 OK", headers: bytes = b"") -> bytes:
    length = b"" if headers else b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 %s\r\n%s%s\r\n%s" % (status.encode(), headers, length, body)


def test_what_is_no_server_is_told() -> None:
    """One that isn't there, one of something else, and one that breaks off."""
    with _answering(_sent(b"<html>")) as host, pytest.raises(ServerError) as other:
        fanwise.connect(f"http://{host}", "t")
    assert other.value.reason == "foreign"
    with _answering(_sent(b"<html>", "302 Found")) as host, pytest.raises(ServerError) as moved:
        fanwise.connect(f"http://{host}", "t")
    assert (moved.value.reason, moved.value.status) == ("foreign", 302)
    with _answering(b"plain\r\n") as host, pytest.raises(ServerError) as plain:
        fanwise.connect(f"https://{host}", "t")
    assert plain.value.reason == "unreachable"
    chunked = b"Transfer-Encoding: chunked\r\n"
    part = b"%x\r\n%s\r\n" % (len(ITEM), ITEM)
    with _answering(_sent(b"{}"), _sent(part, headers=chunked)) as host:
        remote = fanwise.connect(f"http://{host}", "t")
        items = remote.items("a", "b")
        assert next(items).output == 1
        with pytest.raises(ServerError) as cut:
            next(items)
    assert cut.value.reason == "unreachable"
    with pytest.raises(ServerError, match=host) as gone:
        remote.get("a")
    assert gone.value.reason == "unreachable"


def test_an_event_is_sent_again_once_the_server_takes_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refusal for the rate has changed nothing; any other one is told."""
    monkeypatch.setattr("fanwise.client.backend._PAUSE_S", 0.0)
    busy = _sent(b'{"code":"too-many","detail":"slower"}', "429 Too Many Requests")
    taken = _sent(b'{"event":"e-1","is_new":true}', "202 Accepted")
    refused = _sent(b'{"code":"forbidden","detail":"no"}', "403 Forbidden")
    with _answering(busy, busy, taken, refused) as host:
        backend = ServerBackend(Requests(read_address(f"http://{host}"), "t", 5.0))
        assert list(backend.emit_all("paid", [1])) == [Emitted("e-1", True)]
        with pytest.raises(ServerError, match="forbidden"):
            list(backend.emit_all("paid", [1, 2]))


def test_events_are_sent_together_as_far_as_a_request_may_grow(served: Served) -> None:
    """In their order: a thousand at most, and large ones in fewer; one that is too large alone."""
    asked: list[str] = []

    class Counted(Requests):
        def post(self, kind: Any, *path: str, **given: Any) -> Any:
            asked.append(f"{given['root']}/{path[0]}")
            return super().post(kind, *path, **given)

    backend = ServerBackend(Counted(read_address(served.origin), served.tokens["run"], 30.0))
    assert all(each.is_new for each in backend.emit_all("small", range(2_001)))
    assert asked == ["/api/v1/events", "/api/v1/events", "/events/small"]
    asked.clear()
    large = ["x" * 300_000] * 7
    assert len(list(backend.emit_all("large", iter(large)))) == len(large)
    assert asked == ["/api/v1/events"] * 2 + ["/events/large"]
    assert list(backend.emit_all("none", [])) == []


def test_a_stream_of_changes_is_closed_once_they_are_of_no_interest() -> None:
    """At its next line, so that a server doesn't count it any more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = read_address(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with ServerBackend(Requests(address, "t", 30.0)).changes("a") as await_change:
            connection, _ = listener.accept()
            connection.settimeout(30.0)
            connection.recv(2**16)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nevent: run\n")
            await_change(30.0)
        with connection:
            connection.sendall(b"event: run\n")
            assert connection.recv(1) == b""


def test_two_runs_are_compared(served: Served, remote: fanwise.RemoteStore) -> None:
    """As the API tells it, with both sides beside each other."""
    found = remote.compare("first", "second")
    sent = served.ask("/api/v1/compare?a=first&b=second").json
    assert found.definition == tuple(line["text"] for line in sent["definition"])
    assert {name: list(pair) for name, pair in found.parameters.items()} == {
        each["name"]: [each["a"], each["b"]] for each in sent["parameters"]
    }
    assert [(each.name, each.change_s) for each in found.tasks] == [
        (each["name"], each["change_s"]) for each in sent["tasks"]
    ]
    check = next(each for each in found.tasks if each.name == "check")
    assert check.failed[0] == 2
    assert [list(each.counts) for each in found.kinds] == [
        [each["a"], each["b"]] for each in sent["kinds"]
    ]
    with pytest.raises(RunNotFoundError):
        remote.compare("first", "none")


def test_many_runs_are_changed_at_once(served: Served, remote: fanwise.RemoteStore) -> None:
    """One after the other; what is refused is told, and the others are changed."""
    made = [remote.start("monitor", tags="many") for _ in range(3)]
    begun = remote.bulk("cancel", [*made, "first", "none"])
    assert (begun.action, begun.runs) == ("cancel", 5)
    while not (change := remote.bulk_change(begun.id)).is_over:
        pass
    assert (change.done, change.refusals) == (5, 2)
    assert {each.run_id: each.code for each in change.refused} == {
        "first": "run-over",
        "none": "run-not-found",
    }
    assert {remote.get(run_id).status for run_id in made} == {"cancelled"}
    with pytest.raises(UsageError, match="`action` is no change of many runs: 'stop'"):
        remote.bulk("stop", made)
    with pytest.raises(UsageError, match="run_ids"):
        remote.bulk("delete", "first")
    with pytest.raises(ServerError, match="not-found"):
        remote.bulk_change("none")


def test_a_client_reads_no_templates_and_no_yaml() -> None:
    """Neither does it import what does, so a script that asks a server starts at once."""
    script = "import sys, fanwise; fanwise.connect; assert not {'jinja2', 'yaml'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", script], check=True)
