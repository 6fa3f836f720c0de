"""Webhooks: who may start runs, what of a request is kept, and what is answered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fanwise.model import FireStatus, NewFire
from fanwise.service.watcher import ServiceWatcher
from fanwise.testing.ownership_contract import at_once
from tests.server.served import Reply, Served, serving

FLOW = """
name: hooked
parameters: {n: {type: integer, default: 1}}
on:
  - name: by_token
    webhook:
      path: token
      secret: ["{{ secrets.OLD }}", "{{ secrets.NEW }}"]
      headers: [X-Kind, Cookie, Authorization]
    when: "{{ trigger.event.body.n | default(1) != 99 }}"
    parameters: {n: "{{ trigger.event.body.n | default(1) }}"}
  - name: by_github
    webhook: {path: github, secret: "{{ secrets.NEW }}", signature: github}
  - name: by_standard
    webhook: {path: standard, secret: "{{ secrets.NEW }}", signature: standard}
  - name: by_hmac
    webhook:
      path: own
      secret: "{{ secrets.NEW }}"
      signature:
        hmac:
          header: X-Sign
          prefix: v0=
          signed: "v0:{timestamp}:{body}"
          timestamp-header: X-Time
  - {name: open, webhook: {path: open, secret: none}}
  - {name: unset, webhook: {path: unset, secret: "{{ secrets.NOWHERE }}"}}
tasks: [{name: a, action: core.noop}]
"""
JSON = {"Content-Type": "application/json"}
OLD, NEW = "old-secret-1", "new-secret-2"


class Told(ServiceWatcher):
    """Keeps the fires that it is told of."""

    def __init__(self) -> None:
        self.fires: list[tuple[str, str, Sequence[str]]] = []

    def fired(
        self, workflow: str, name: str, fires: Sequence[NewFire], runs: Sequence[str]
    ) -> None:
        self.fires += [(name, each.status.value, runs) for each in fires]


def test_the_fire_of_a_request_is_told_as_any_other_is(tmp_path: Path) -> None:
    """To whom watches the service, with its run, or without one."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    told = Told()
    with serving(tmp_path, environment={"FANWISE_SECRET_NEW": NEW}, watcher=told) as served:
        runs = by_token(served, {"n": 5}).json["runs"]
        assert by_token(served, {"n": 99}).json["runs"] == []
    assert told.fires == [("by_token", "ran", runs), ("by_token", "skipped", [])]


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("hooked")
    (folder / "flow.yaml").write_text(FLOW)
    secrets = {"FANWISE_SECRET_OLD": OLD, "FANWISE_SECRET_NEW": NEW}
    with serving(folder, environment=secrets) as made:
        yield made


def send(served: Served, path: str, body: object = None, **headers: str) -> Reply:
    """Send a value as JSON, or bytes as they are."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return served.ask(
        f"/hooks/{path}", method="POST", token=None, headers={**JSON, **given}, body=text
    )


def by_token(served: Served, body: object = None, **headers: str) -> Reply:
    return send(served, "token", body, **{"X-Fanwise-Token": NEW, **headers})


def signed(text: bytes, secret: str = NEW) -> bytes:
    return hmac.new(secret.encode(), text, hashlib.sha256).digest()


def standard(body: bytes, id: str, sent_at: float, *secrets: str) -> dict[str, str]:
    stamp = str(int(sent_at))
    text = f"{id}.{stamp}.".encode() + body
    each = [base64.b64encode(signed(text, secret)).decode() for secret in secrets]
    return {
        "webhook_id": id,
        "webhook_timestamp": stamp,
        "webhook_signature": " ".join(f"v1,{one}" for one in each),
    }


def facts(served: Served, reply: Reply) -> Any:
    (run_id,) = reply.json["runs"]
    run = served.store.run(run_id)
    assert run is not None
    return run.origin.trigger["event"]


def test_a_request_starts_a_run_that_knows_it(hooked: Served) -> None:
    """Its body as the type that it is, and just the headers that are listed, never credentials."""
    span = f"00-{7:032x}-{9:016x}-01"
    reply = by_token(hooked, {"n": 5}, X_Kind="push", Cookie="c=1", traceparent=span)
    assert reply.status == 202
    event = facts(hooked, reply)
    assert (event["id"], event["path"], event["body"]) == (reply.json["event"], "token", {"n": 5})
    assert event["headers"] == {"x-kind": "push", "cookie": None, "authorization": None}
    run = hooked.store.run(reply.json["runs"][0])
    assert run is not None
    assert json.loads(run.parameters) == {"n": 5}
    assert run.origin.traceparent == span, "its trace goes on"


def test_both_secrets_fit_while_one_is_changed(hooked: Served) -> None:
    """By either header; never in the query."""
    assert by_token(hooked, {}, X_Fanwise_Token=OLD).status == 202
    assert send(hooked, "token", {}, Authorization=f"Bearer {NEW}").status == 202
    assert send(hooked, f"token?token={NEW}", {}).code == "bad-request"


@pytest.mark.parametrize(
    "headers", [{}, {"X_Fanwise_Token": "wrong"}, {"Authorization": "Basic eA=="}]
)
def test_a_wrong_token_is_refused(hooked: Served, headers: dict[str, str]) -> None:
    """Nothing of the request is recorded, whatever its size or type."""
    before = list(hooked.store.fires("hooked", "by_token"))
    assert send(hooked, "token", b"\xff", **headers).code == "bad-signature"
    assert list(hooked.store.fires("hooked", "by_token")) == before


def test_a_secret_that_is_not_set_is_as_a_wrong_signature(hooked: Served) -> None:
    """Nobody learns which of the two it is."""
    unset = send(hooked, "unset", {}, X_Fanwise_Token="x")
    wrong = send(hooked, "token", {}, X_Fanwise_Token="x")
    assert (unset.status, unset.json["detail"]) == (wrong.status, wrong.json["detail"])


def test_an_unknown_hook_is_as_any_unknown_path(hooked: Served) -> None:
    """By its text; names that lead elsewhere are none."""
    unknown = send(hooked, "nothing", {}, X_Fanwise_Token=NEW)
    other = hooked.ask("/nothing", method="POST", body=b"")
    assert (unknown.code, unknown.json["detail"]) == (other.code, other.json["detail"])
    for path in ("", "token/", "token/x", "..%2ftoken", "%00"):
        assert send(hooked, path, {}, X_Fanwise_Token=NEW).status in (400, 404)
    assert hooked.ask("/hooks/token").status == 405


def test_github_signs_the_raw_body(hooked: Served) -> None:
    """And a delivery that comes again gives the same ids."""
    body = b'{ "ref" : "main" }'
    headers = {"X_Hub_Signature_256": f"sha256={signed(body).hex()}", "X_GitHub_Delivery": "d1"}
    first = send(hooked, "github", body, **headers)
    again = send(hooked, "github", body, **headers)
    assert (first.status, again.status) == (202, 200)
    assert first.json == again.json
    assert first.json["event"] == "d1"
    assert send(hooked, "github", b'{"ref":"main"}', **headers).code == "bad-signature"


def test_an_old_or_future_request_is_refused(hooked: Served) -> None:
    """Although it was signed; one of several signatures is enough."""
    now = time.time()
    for sent_at in (now - 400, now + 400):
        reply = send(hooked, "standard", b"{}", **standard(b"{}", "m1", sent_at, NEW))
        assert reply.code == "bad-signature"
    good = send(hooked, "standard", b"{}", **standard(b"{}", "m2", now, "other", NEW))
    assert good.status == 202
    replayed = send(hooked, "standard", b"{}", **standard(b"{}", "m2", now, "other", NEW))
    assert (replayed.status, replayed.json) == (200, good.json)


def test_a_signature_of_the_senders_own_kind_fits(hooked: Served) -> None:
    """By its header, prefix and signed text."""
    stamp = str(int(time.time()))
    sign = signed(f"v0:{stamp}:{{}}".encode()).hex()
    assert send(hooked, "own", b"{}", X_Sign=f"v0={sign}", X_Time=stamp).status == 202
    assert send(hooked, "own", b"{}", X_Sign=f"v0={sign}", X_Time="1").status == 401
    assert send(hooked, "own", b"{}", X_Sign=sign, X_Time=stamp).status == 401


def test_of_requests_with_one_id_at_once_one_makes_a_run(hooked: Served) -> None:
    """All are told of it."""
    given = at_once(8, lambda _: by_token(hooked, {"n": 7}, Idempotency_Key="once"))
    assert sorted(reply.status for reply in given)[:7] == [200] * 7
    assert {reply.json["event"] for reply in given} == {"once"}
    again = by_token(hooked, {"n": 7}, Idempotency_Key="once")
    assert len(again.json["runs"]) == 1
    fires = [each for each in hooked.store.fires("hooked", "by_token") if "once" in each.key]
    assert len(fires) == 1


def test_parameters_that_do_not_fit_are_told_and_kept(hooked: Served) -> None:
    """The answer quotes nothing, and a repeat is told the same."""
    for _ in range(2):
        reply = by_token(hooked, {"n": "hunter2"}, Idempotency_Key="unfit")
        assert reply.code == "unfitting"
        assert '"n"' in reply.json["detail"]
        assert b"hunter2" not in reply.body
    kept = hooked.store.arrival("webhook", "token", "unfit")
    assert kept is not None
    assert kept.refused == reply.json["detail"]


def test_a_full_queue_asks_to_come_again(hooked: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded, so the same request starts a run later."""
    monkeypatch.setattr(hooked.store, "is_full", lambda *_: True)
    reply = by_token(hooked, {"n": 1}, Idempotency_Key="later")
    assert (reply.status, reply.code) == (429, "queue-full")
    assert reply.headers["Retry-After"] == "5"
    assert hooked.store.arrival("webhook", "token", "later") is None
    assert by_token(hooked, {"n": 99}).status == 202  # it starts none
    monkeypatch.undo()
    reply = by_token(hooked, {"n": 1}, Idempotency_Key="later")
    assert (reply.status, len(reply.json["runs"])) == (202, 1)


def test_a_condition_that_does_not_hold_starts_nothing(hooked: Served) -> None:
    """The request is taken, and its fire says why."""
    reply = by_token(hooked, {"n": 99})
    assert (reply.status, reply.json["runs"]) == (202, [])
    assert hooked.store.fires("hooked", "by_token")[0].status is FireStatus.SKIPPED


def test_a_body_is_read_as_what_it_says_it_is(hooked: Served) -> None:
    """JSON, a form or a text; nothing else, and nothing that isn't that."""

    def body(text: bytes, kind: str) -> Reply:
        return send(hooked, "open", text, Content_Type=kind)

    assert facts(hooked, body(b"a=1&b=", "application/x-www-form-urlencoded"))["body"] == {
        "a": "1",
        "b": "",
    }
    assert facts(hooked, body("é".encode(), "text/plain; charset=utf-8"))["body"] == "é"
    assert facts(hooked, body(b"[1]", "application/vnd.x+json"))["body"] == [1]
    assert facts(hooked, body(b"", ""))["body"] is None
    assert body(b"<a/>", "application/xml").code == "bad-type"
    for text in (b"{", b"\xff", b'"\\u0000"', b"[" * 10_000, b'{"a":NaN}'):
        assert body(text, "application/json").code == "bad-request"
    large = body(b'"' + b"x" * 2**20 + b'"', "application/json")
    assert (large.status, large.code) == (413, "too-large")
    packed = send(hooked, "open", b"{}", Content_Encoding="gzip")
    assert packed.code == "bad-type"


def test_what_a_body_holds_is_never_a_template(hooked: Served) -> None:
    """It arrives as text."""
    assert facts(hooked, send(hooked, "open", {"a": "{{ 7*7 }}"}))["body"] == {"a": "{{ 7*7 }}"}


def test_a_store_that_is_away_asks_to_come_again(
    hooked: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time to wait."""
    from fanwise.errors import StoreError

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the store is locked.")

    monkeypatch.setattr(hooked.store, "arrive", fail)
    reply = send(hooked, "open", {})
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
