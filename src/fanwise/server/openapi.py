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
