"""Writes the reference part of docs/api.md from the table of routes.

`python tools/api_reference.py` rewrites the page below its heading `## Reference`; a test compares
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from fanwise.server.openapi import (
    description_of,
    document,
    in_api,
    names_of,
    summary_of,
)
from fanwise.server.routes import Route
from fanwise.server.table import TABLE

PAGE = Path(__file__).parent.parent / "docs" / "api.md"

HEADING = "## Reference\n"


def render() -> str:
    """The reference as Markdown."""
    schemas = document(TABLE, "")["components"]["schemas"]
    parts = [HEADING]
    by_module: dict[str, list[Route]] = {}
    for route in in_api(TABLE):
        by_module.setdefault(route.handler.__module__, []).append(route)
    for module, routes in by_module.items():
        parts.append(f"### Routes of {module.rpartition('.')[2]}\n")
        parts += ["\n".join(_route(route)) for route in routes]
    parts.append("### Objects\n")
    parts += ["\n".join(_object(name, each)) for name, each in sorted(schemas.items())]
    return "\n".join(parts)


def _route(route: Route) -> Iterator[str]:
    path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)
    words = re.findall(r"\w+", path.removeprefix("/api/v1"))
    yield f"#### {route.method} {' '.join(words)}\n"
    yield f"`{route.method} {path}`\n"
    who = f"role `{route.role}`" if route.role else "no token"
    yield f"{summary_of(route)} {description_of(route)}".strip() + "\n"
    takes = []
    if names_of(route):
        takes.append("in the path " + ", ".join(f"`{name}`" for name in names_of(route)))
    if route.query is not None:
        names = ", ".join(f"`{each.encode_name}`" for each in msgspec.structs.fields(route.query))
        takes.append(f"a query of {names}")
    if route.body is not None:
        takes.append(f"[`{route.body.__name__}`](#{route.body.__name__.lower()})")
    if route.takes:
        takes.append("a text of the type " + " or ".join(f"`{each}`" for each in route.takes))
    gives = f"[`{route.answer.__name__}`](#{route.answer.__name__.lower()})" if route.answer else ""
    codes = sorted(error.code for error in route.errors)
    yield f"* Needs {who}." + (" A ticket will do." if route.takes_ticket else "")
    if takes:
        yield f"* Takes {'; '.join(takes)}."
    yield f"* Gives {route.status}" + (f" with {gives}." if gives else ".")
    if codes:
        yield "* Refuses with " + ", ".join(f"`{code}`" for code in codes) + "."
    yield ""


def _object(name: str, schema: Mapping[str, object]) -> Iterator[str]:
    yield f"#### {name}\n"
    yield f"{_text(schema)}\n"
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{each}`" for each in schema["enum"]) + ".\n"
        return
    yield "| field | type |"
    yield "|---|---|"
    required = schema.get("required", ())
    for field, each in schema.get("properties", {}).items():
        optional = "" if field in required else ", may be absent"
        yield f"| `{field}` | {_type(each)}{optional} |"
    yield ""


def _text(schema: Mapping[str, object]) -> str:
    return " ".join(str(schema.get("description", "")).split())


def _type(schema: Mapping[str, object]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    match schema.get("type"):
        case "array":
            items = schema.get("items", {})
            return f"list of {_type(items)}" if items else "list"
        case "object":
            values = schema.get("additionalProperties")
            return (
                f"object of {_type(values)}" if isinstance(values, Mapping) and values else "object"
            )
        case None:
            return "JSON"
        case kind if isinstance(kind, Sequence):
            return str(kind)
        case kind:
            return str(kind)


def page() -> str:
    """The whole page, with the present reference."""
    before, _, _ = PAGE.read_text().partition(HEADING)
    return before + render()


if __name__ == "__main__":
    PAGE.write_text(page())
