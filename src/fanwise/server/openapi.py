"""The API as an OpenAPI 3.1 document, from the table of routes. Pure."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from fanwise.server.problems import TITLES, Problem, status_of
from fanwise.server.routes import JSON, Fields, Route

API: Final = "/api/v1/"
_REF: Final = "#/components/schemas/{name}"
_ALWAYS: Final = (400, 403, 421, 429, 503)
_names_of = re.compile(r"\{(\w+)(?::[^}]*)?\}").findall
_refs_in = re.compile(r"#/components/schemas/(\w+)").findall
_blank_line = re.compile(r"\n\s*\n")

Object = dict[str, object]


def in_api(table: Iterable[Route]) -> list[Route]:
    """Return the routes of the API, without those of pages."""
    return [route for route in table if route.path.startswith(API)]


def summary_of(route: Route) -> str:
    """Return the first sentences of the handler's docstring, in one line."""
    return _paragraphs(route)[0]


def description_of(route: Route) -> str:
    """Return the rest of the handler's docstring, a line a paragraph."""
    return "\n".join(_paragraphs(route)[1:])


def names_of(route: Route) -> Sequence[str]:
    """Return the names of the parts of a path that differ."""
    found: list[str] = _names_of(route.path)
    return found


def statuses_of(route: Route) -> list[int]:
    """Return the statuses of refusals that a route may answer with, in their order."""
    found = {*_ALWAYS, *route.refuses, *(status_of(each) for each in route.errors)}
    if not route.is_open:
        found.add(401)
    if route.body is not None:
        found |= {408, 413, 415}
    if names_of(route):
        found.add(404)
    return sorted(found)


def document(table: Iterable[Route], version: str) -> Object:
    """Return the document of the API of a table."""
    routes = in_api(table)
    kinds = _kinds(routes)
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template=_REF, schema_hook=_any_json
    )
    refs = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Object] = {}
    for route in routes:
        path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, refs, components)
    queries = {route.query.__name__ for route in routes if route.query is not None}
    queries -= set(_refs_in(msgspec.json.encode(components).decode()))
    return {
        "openapi": "3.1.0",
        "info": {"title": "fanwise", "version": version},
        "security": [{"token": []}, {"cookie": [], "key": []}],
        "paths": paths,
        "components": {
            "schemas": {name: each for name, each in components.items() if name not in queries},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "fanwise_8420"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Fanwise-Key"},
            },
        },
    }


def _any_json(kind: type) -> Object:
    """The schema of `object`, which is JSON of any form."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "JSON of any form."}


def _paragraphs(route: Route) -> list[str]:
    text = inspect.getdoc(route.handler) or ""
    return [" ".join(each.split()) for each in _blank_line.split(text)]


def _kinds(routes: Iterable[Route]) -> list[type[msgspec.Struct]]:
    """All structs of routes, each once."""
    found: dict[type[msgspec.Struct], None] = {Problem: None}
    for route in routes:
        for kind in (route.query, route.body, route.answer):
            if kind is not None:
                found[kind] = None
    return list(found)


def _operation(
    route: Route,
    refs: Mapping[type[msgspec.Struct], Object],
    components: Mapping[str, Object],
) -> Object:
    operation: Object = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{_name(route)}",
        "summary": summary_of(route),
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in names_of(route)
            ),
            *([] if route.query is None else _query_parameters(route.query, components)),
        ],
        "responses": _responses(route, refs),
        "x-role": route.role or "none",
    }
    if description := description_of(route):
        operation["description"] = description
    if route.body is not None:
        content = {JSON: {"schema": refs[route.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.takes:
        texts = {each: {"schema": {"type": "string"}} for each in route.takes}
        operation["requestBody"] = {"required": True, "content": texts}
    if route.is_open:
        operation["security"] = []
    return operation


def _name(route: Route) -> str:
    name: str = getattr(route.handler, "__name__")  # noqa: B009 - callables needn't have one
    return name


def _query_parameters(query: type[Fields], components: Mapping[str, Object]) -> list[Object]:
    schema = components[query.__name__]
    properties, required = schema["properties"], schema.get("required", [])
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    return [
        {"name": name, "in": "query", "required": name in required, "schema": each}
        for name, each in properties.items()
    ]


def _responses(route: Route, refs: Mapping[type[msgspec.Struct], Object]) -> Object:
    done: Object = {"description": "Done."}
    if route.answer is not None:
        done["content"] = {JSON: {"schema": refs[route.answer]}}
    problem = {"application/problem+json": {"schema": refs[Problem]}}
    refused = {
        str(status): {"description": f"{TITLES[status]}.", "content": problem}
        for status in statuses_of(route)
    }
    same = {"304": {"description": "The answer that the client has is still the same."}}
    return {str(route.status): done, **(same if route.tag is not None else {}), **refused}


# The document as it is read again


class Schema(msgspec.Struct, frozen=True):
    """A schema of the document, as far as its readers show it."""

    ref: str = msgspec.field(name="$ref", default="")
    type: str | list[str] | None = None
    description: str = ""
    enum: list[object] = []
    properties: dict[str, Schema] = {}
    required: list[str] = []
    items: Schema | bool | None = None
    others: Schema | bool | None = msgspec.field(name="additionalProperties", default=None)
    any_of: list[Schema] = msgspec.field(name="anyOf", default=[])

    @property
    def name(self) -> str | None:
        """The name of the object that it refers to."""
        return self.ref.rpartition("/")[2] or None

    @property
    def held(self) -> Schema | None:
        """The schema of what a list or a map holds, if it says that."""
        found = (each for each in (self.items, self.others) if isinstance(each, Schema))
        return next(found, None)

    @property
    def words(self) -> str:
        """Its type in words, without what it holds."""
        if self.any_of:
            return " or ".join(each.name or each.words for each in self.any_of)
        kind = self.type if isinstance(self.type, str) else "JSON"
        return "list" if kind == "array" else kind


class _Content(msgspec.Struct, frozen=True):
    schema: Schema


class _Body(msgspec.Struct, frozen=True):
    content: dict[str, _Content]


class _Response(msgspec.Struct, frozen=True):
    content: dict[str, _Content] = {}


class _Parameter(msgspec.Struct, frozen=True):
    name: str
    place: str = msgspec.field(name="in")
    required: bool = False


class Operation(msgspec.Struct, frozen=True):
    """An operation of the document; `security` is an empty list if it needs no token."""

    summary: str
    role: str = msgspec.field(name="x-role")
    responses: dict[str, _Response]
    description: str = ""
    parameters: list[_Parameter] = []
    request_body: _Body | None = msgspec.field(name="requestBody", default=None)
    security: list[object] | None = None

    @property
    def answer(self) -> Schema | None:
        """The schema of the answer, if it has one."""
        first = next(iter(self.responses.values()))
        return next((each.schema for each in first.content.values()), None)


class _Components(msgspec.Struct, frozen=True):
    schemas: dict[str, Schema]


class Document(msgspec.Struct, frozen=True):
    """The document, as far as its readers show it."""

    paths: dict[str, dict[str, Operation]]
    components: _Components


def read_document(found: Mapping[str, object]) -> Document:
    """Return the document of the API as its parts."""
    return msgspec.convert(found, Document)
