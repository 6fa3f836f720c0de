"""Secrets and credentials: they are in nothing that is kept, told or logged."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

import fanwise
from fanwise.model import Role
from fanwise.server.events import TopicsQuery
from fanwise.server.table import TABLE
from tests.server.served import serving
from tests.server.test_sign_in import session_of

FLOW = """\
name: leak
parameters:
  token: {secret: true}
  list: {type: array, default: [a, b]}
tasks:
  - name: check
    with-items: "{{ parameters.list }}"
    label: "{{ item }} {{ parameters.token }}"
    action: core.shell
    input:
      command: [sh, -c, "echo {{ secrets.KEY }}; echo {{ parameters.token }} >&2; exit {{ index }}"]
    on-item-error: continue
  - name: said
    action: core.echo
    input: {value: ["{{ secrets.KEY }}", "{{ parameters.token }}"]}
output: "{{ task.said.output }}"
"""
NAMES = {"run_id": "r", "task": "check", "name": "leak", "index": "1", "path": "check[1]"}
SECRETS = {"key": "canary-of-the-key", "token": "canary-of-the-token"}


def test_no_secret_and_no_credential_is_in_anything_that_is_kept_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store, all answers and pages, problems, metrics, lines of requests and of the server."""
    monkeypatch.setenv("FANWISE_SECRET_KEY", SECRETS["key"])
    (tmp_path / "leak.yaml").write_text(FLOW)
    store = str(tmp_path / "runs.db")
    given = {"token": SECRETS["token"]}
    fanwise.run(str(tmp_path / "leak.yaml"), given, run_id="r", store=store)
    told: list[str] = []

    def take(event: str, **fields: object) -> None:
        told.append(f"{event} {fields}")

    environment = {"FANWISE_SECRET_KEY": SECRETS["key"]}
    with (
        caplog.at_level(logging.DEBUG),
        serving(tmp_path, store, access_log=take, environment=environment) as served,
    ):
        session = session_of(served.post("/api/v1/session", {"token": served.tokens["admin"]}))
        asked = {"path": "/api/v1/runs/r/export"}
        ticket = served.post("/api/v1/tickets", asked).json["path"].rpartition("=")[2]
        for route in TABLE:
            if route.method == "GET" and route.query is not TopicsQuery:
                path = re.sub(r"\{(\w+)[^}]*\}", lambda each: NAMES.get(each[1], "1"), route.path)
                told.append(served.ask(path).body.decode(errors="replace"))
        answers = [
            served.ask(f"/api/v1/runs/r/export?ticket={ticket}", token=None),
            served.ask(f"/api/v1/runs/r/export?ticket={ticket}", token=None),  # for the 2nd time
            served.ask("/api/v1/me", token=f"{served.tokens['read']}x"),
            served.post("/api/v1/session", {"token": f"{served.tokens['run']}x"}, token=None),
            served.post("/api/v1/runs", {"workflow": "leak", "parameters": given}),
            served.ask("/api/v1/me", token=None, headers=session),
            served.ask("/page/runs/r/items/check%5B1%5D?input=true"),
        ]
        told += [answer.body.decode() for answer in answers]
    assert any("input" in text and "***" in text for text in told)
    told.append(caplog.text)
    told += [file.read_bytes().decode(errors="replace") for file in tmp_path.glob("runs.db*")]
    cookie = session["Cookie"].partition("=")[2]
    credentials = [*served.tokens.values(), cookie, session["X-Fanwise-Key"], ticket]
    assert len(set(credentials)) == len(Role) + 3
    for canary in (*SECRETS.values(), *credentials):
        assert len(canary) > 12
        assert not [text[:200] for text in told if canary in text]
