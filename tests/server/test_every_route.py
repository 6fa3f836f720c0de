"""What holds for every route of the table, also for those to come."""

from __future__ import annotations

import re

import pytest

from fanwise.model import Role
from fanwise.server.page.table import PAGES
from fanwise.server.routes import Route
from fanwise.server.table import TABLE
from tests.server.served import Served

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
