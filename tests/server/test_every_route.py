"""What holds for every route of the table, also for those to come."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from fanwise.model import Role
from fanwise.packs.modules import PackFolder
from fanwise.server.events import TopicsQuery
from fanwise.server.page.table import PAGES
from fanwise.server.routes import Route
from fanwise.server.table import TABLE
from tests.server.served import Served, serving

NAMED = {f"{route.method} {route.path}": route for route in TABLE}
GUARDED = [name for name, route in NAMED.items() if not route.is_open]
OPEN = {
    "GET /healthz",
    "GET /readyz",
    "POST /hooks/{path}",
    "GET /ask/{token}",
    "POST /ask/{token}",
    "POST /api/v1/session",
    "POST /api/v1/session/ticket",
    "GET /assets/{digest}/{name}",
    *(f"GET {page.path}" for page in PAGES),  # the shell, which holds no data
    "GET /api",
}


def path_of(route: Route) -> str:
    """A path of the route, of names that lead nowhere."""
    return re.sub(r"\{\w+(:[^}]*)?\}", "1", route.path)


def test_each_route_has_a_role_or_a_reason_why_it_needs_none() -> None:
    """And only these few need none."""
    for name, route in NAMED.items():
        assert bool(route.is_open) != (route.role is not None), name
    assert {name for name, route in NAMED.items() if route.is_open} == OPEN
    assert len(NAMED) == len(TABLE)


def test_each_route_that_changes_something_is_audited() -> None:
    """Under a word of its own; those that are open see to it themselves."""
    changing = [route for route in TABLE if route.method != "GET" and not route.is_open]
    unnamed = {route.path for route in changing if not route.audit}
    assert unnamed == {"/api/v1/tickets"}


@pytest.mark.parametrize("name", GUARDED)
def test_a_route_is_closed_without_credentials(served: Served, name: str) -> None:
    """Nor do wrong ones, or half of a session, open it."""
    route = NAMED[name]
    path = path_of(route)
    assert served.ask(path, method=route.method, token=None).code == "unauthenticated"
    cookie = {"Cookie": f"fanwise_{served.port}=x"}
    assert served.ask(path, method=route.method, token=None, headers=cookie).status == 401
    key = {"X-Fanwise-Key": "x"}
    assert served.ask(path, method=route.method, token=None, headers=key).status == 401


@pytest.mark.parametrize("name", GUARDED)
def test_a_route_is_closed_to_lower_roles(served: Served, name: str) -> None:
    """Whatever the request holds; and its own role gets past the guard."""
    route = NAMED[name]
    for role in Role:
        reply = served.ask(path_of(route), method=route.method, token=role)
        assert (reply.status == 403) != role.covers(route.role or Role.ADMIN), role
        assert reply.status not in (401, 500)


FLOW = """\
name: one
on: {hand: {schedule: 1h}}
tasks: [{name: a, action: site.act}]
"""
PACK = """\
import fanwise


@fanwise.action("site.act")
def act() -> int:
    return 1
"""
NAMES = {"run_id": "mine", "name": "one", "task": "a", "path": "a"}


def test_no_request_imports_the_code_of_authors(tmp_path: Path) -> None:
    """The process that answers knows actions by name; those that run them are others."""
    (tmp_path / "one.yaml").write_text(FLOW)
    (tmp_path / "actions.py").write_text(PACK)
    with serving(tmp_path) as served:
        start = {"workflow": "one"}
        assert served.post("/api/v1/runs/check", start).status == 200
        assert served.post("/api/v1/runs", {**start, "run_id": "mine"}).status == 202
        assert served.ask("/api/v1/runs/mine").json["status"] == "pending"
        answered = {
            route.path: served.ask(re.sub(r"\{(\w+)[^}]*\}", _named, route.path)).status
            for route in TABLE
            if route.method == "GET" and route.query is not TopicsQuery
        }
        assert answered["/page/workflows/{name}"] == 200
        for order in ("cancel", "retry"):
            assert served.post(f"/api/v1/runs/mine/{order}", {}).status == 202, order
        assert imported_from(tmp_path) == []
    PackFolder(tmp_path).load("actions")
    assert len(imported_from(tmp_path)) == 2, "the folder and its file, as an import would leave"


def _named(part: re.Match[str]) -> str:
    return NAMES.get(part[1], "1")


def imported_from(folder: Path) -> list[str]:
    """The modules of this process that come from a folder."""
    return [
        name
        for name, module in list(sys.modules.items())
        for place in [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        if place is not None and Path(place).is_relative_to(folder)
    ]
