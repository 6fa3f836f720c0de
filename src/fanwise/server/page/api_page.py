"""The page of the API at `/api`: the document of the table of routes, with an example of each.

It has no script and no data, so it is the same for everybody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from shlex import quote
from typing import Final, NamedTuple

from fanwise.model import Role
from fanwise.server.openapi import Document, Operation, Schema, read_document
from fanwise.server.page.pages import HTML, base_of
from fanwise.server.page.rendering import Place, render
from fanwise.server.page.shell import OPEN, assets
from fanwise.server.routes import JSON, Answer, Call, Route

_part = re.compile(r"\{(\w+)\}")
_EXAMPLES: Final[Mapping[str, object]] = {
    "string": "…",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
}


class Shown(NamedTuple):
    """An operation as the page shows it. `group` is the second part of its path."""

    group: str
    method: str
    path: str
    operation: Operation
    example: str


def get_api(call: Call) -> Answer:
    """Show the API: its routes with examples, and its objects."""
    site = call.parts.site
    text = _text(base_of(call), site.url, call.parts.api)
    return Answer(text.encode(), HTML, headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=4)
def _text(base: str, url: str, api: Callable[[], Mapping[str, object]]) -> str:
    document = read_document(api())
    groups: dict[str, list[Shown]] = {}
    for shown in _operations(document, url):
        groups.setdefault(shown.group, []).append(shown)
    place = Place(base, 0.0, Role.READ)
    values = {"digest": assets().digest, "groups": groups, "schemas": document.components.schemas}
    return render("api.html", place, values)


def _operations(document: Document, url: str) -> Iterator[Shown]:
    for path, methods in document.paths.items():
        group = path.removeprefix("/api/v1/").partition("/")[0]
        for method, operation in methods.items():
            example = _example(document, url, method, path, operation)
            yield Shown(group, method.upper(), path, operation, example)


def _example(document: Document, url: str, method: str, path: str, operation: Operation) -> str:
    """The command line of an example: with the fields that have to be there alone."""
    words = ["curl"]
    if operation.security != []:
        words.append('-H "Authorization: Bearer $TOKEN"')
    if method not in ("get", "post"):
        words.append(f"-X {method.upper()}")
    if (body := operation.request_body) is not None:
        kind, *_ = body.content
        words.append(f"-H {quote(f'Content-Type: {kind}')}")
        given = _body(document, body.content[kind].schema) if kind == JSON else None
        words.append("--data-binary @flow.yaml" if given is None else f"-d {quote(given)}")
    elif method == "post":
        words.append("-X POST")
    needed = [each.name for each in operation.parameters if each.place == "query" and each.required]
    query = "?" + "&".join(f"{name}=…" for name in needed) if needed else ""
    target = url + _part.sub(lambda found: found[1].upper(), path) + query
    return " ".join([*words, quote(target)])


def _body(document: Document, schema: Schema) -> str:
    found = document.components.schemas.get(schema.name or "", schema)
    values = {name: _value(found.properties[name]) for name in found.required}
    return json.dumps(values, ensure_ascii=False)


def _value(schema: Schema) -> object:
    if schema.type == "array":
        return []
    return _EXAMPLES.get(schema.type if isinstance(schema.type, str) else "", {})


ROUTES: Final = (
    Route(
        method="GET",
        path="/api",
        handler=get_api,
        is_open=OPEN,
    ),
)
