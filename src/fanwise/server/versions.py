"""The version of the server, and the document of its API."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Final

import msgspec

from fanwise.model import Role
from fanwise.server.routes import Answer, Call, Route, json_answer


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of fanwise, and of the Python that serves it."""

    fanwise: str
    python: str


def get_version(call: Call) -> Answer:
    """Tell the version of fanwise."""
    return json_answer(Version(fanwise=version("fanwise"), python=platform.python_version()))


def get_openapi(call: Call) -> Answer:
    """Give the API as an OpenAPI 3.1 document."""
    return json_answer(call.parts.api())


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/openapi.json",
        handler=get_openapi,
        role=Role.READ,
    ),
    Route(
        method="GET",
        path="/api/v1/version",
        handler=get_version,
        role=Role.READ,
        answer=Version,
    ),
)
