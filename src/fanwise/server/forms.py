"""The forms of requests: queries and bodies as structs, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Final

import msgspec
from aiohttp import web
from multidict import MultiMapping

from fanwise.server.problems import Refusal
from fanwise.server.routes import JSON, Fields

BODY_S: Final = 10.0
"""The time in which a body has to arrive."""

_MOST_NAMES: Final = 100


def read_query(kind: type[Fields] | None, given: MultiMapping[str]) -> Fields | None:
    """Return a query as a struct. Raises `Refusal`."""
    lists = frozenset[str]() if kind is None else _lists(kind)
    values: dict[str, str | list[str]] = {}
    for name in dict.fromkeys(given):
        found = given.getall(name)
        if name in lists:
            values[name] = found
        elif len(found) == 1:
            values[name] = found[0]
        else:
            raise Refusal(400, "bad-request", f"The query has `{name}` more than once.")
    if kind is None:
        if values:
            raise Refusal(400, "bad-request", "This path takes no query.")
        return None
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refusal(400, "bad-request", f"The query is wrong: {error}.") from None


async def read_body(
    kind: type[Fields] | None, request: web.Request, most_bytes: int
) -> Fields | None:
    """Return a body of JSON as a struct; a route without one reads its body by itself.

    Raises `Refusal`.
    """
    if kind is None:
        require_size(request, most_bytes)
        return None
    if request.content_type != JSON:
        raise Refusal(415, "bad-type", "The body has to be JSON.", hint=f"Send it as {JSON}.")
    text = await read_bytes(request, most_bytes)
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, "bad-request", f"The body is wrong: {error}.") from None
    except RecursionError:
        raise Refusal(400, "bad-request", "The body is nested too deeply.") from None


def field_names(body: Fields | None) -> tuple[str, ...]:
    """Return the names of the fields that a body gives, and of what a map in it holds; no values.

    A field that is what it is without the body counts as not given.
    """
    found: list[str] = []
    for field in () if body is None else msgspec.structs.fields(body):
        value = getattr(body, field.name)
        if isinstance(value, Mapping):
            found += [f"{field.encode_name}.{name}" for name in value]
        elif value != field.default:
            found.append(field.encode_name)
    return tuple(found[:_MOST_NAMES])


def require_size(request: web.Request, most_bytes: int) -> None:
    """Refuse a body that says that it is too large, or is compressed."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refusal(415, "bad-type", "The body has to come as it is, without compression.")
    if (request.content_length or 0) > most_bytes:
        raise _too_large(most_bytes)


async def read_bytes(request: web.Request, most_bytes: int) -> bytes:
    """Return the body of a request, which has to arrive in time. Raises `Refusal`."""
    require_size(request, most_bytes)
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.content.iter_any():
                found += part
                if len(found) > most_bytes:
                    raise _too_large(most_bytes)
    except TimeoutError:
        close = {"Connection": "close"}
        raise Refusal(408, "too-slow", "The body didn't arrive in time.", headers=close) from None
    return bytes(found)


def _too_large(most_bytes: int) -> Refusal:
    close = {"Connection": "close"}
    return Refusal(413, "too-large", f"The body may have {most_bytes:,} bytes.", headers=close)


@cache
def _lists(kind: type[Fields]) -> frozenset[str]:
    """The fields of a query that may be there several times."""
    found = msgspec.inspect.type_info(kind)
    assert isinstance(found, msgspec.inspect.StructType)
    several = (msgspec.inspect.ListType, msgspec.inspect.VarTupleType)
    return frozenset(each.encode_name for each in found.fields if isinstance(each.type, several))
