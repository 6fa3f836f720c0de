"""Requests to webhooks: `POST /hooks/PATH`, checked before anything of them is read.

The order: path, size, signature, form, condition, parameters; then the request is recorded and
answered. An answer repeats nothing of a request but its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

from fanwise.errors import ResultError, SignatureError, StoreError
from fanwise.model import Arrival, RunRecord, Submission
from fanwise.plan.project_triggers import Owned
from fanwise.server.buckets import Rate
from fanwise.server.forms import read_bytes
from fanwise.server.problems import Refusal
from fanwise.server.routes import JSON, Answer, Call, Route, json_answer
from fanwise.server.tracing import traced
from fanwise.service.hooks import WEBHOOK, FullError, Hooks, Received, scheme_of, webhook_of
from fanwise.triggers.signatures import delivery_id
from fanwise.values import FrozenDict, Json, decode, encode
from fanwise.wiring import new_token, secret_of

if TYPE_CHECKING:
    from fanwise.server.parts import Parts

HOOKS: Final = Rate("requests to webhooks", 10.0, 100)
_MOST_BODY_BYTES: Final = 2**26
_LONGEST_ID: Final = 200
_RETRY_S: Final = "5"
_NEVER: Final = ("authorization", "cookie", "x-fanwise-token")
"""Headers that are never recorded, though a trigger lists them."""


class HookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The id of the event that a request has become, and the runs that it has started."""

    event: str
    runs: tuple[str, ...]


async def post_hook(call: Call) -> Answer:
    """Take a request to a webhook, and start the run that its trigger makes of it."""
    parts = call.parts
    hooks = _hooks(parts, call.request.headers)
    owned = hooks.find(call.names["path"])
    if owned is None:
        raise Refusal(404, "not-found", "There is no such path.")
    body = await read_bytes(call.request, parts.settings.limits.event_bytes)
    headers = {name.lower(): text for name, text in call.request.headers.items()}
    try:
        received = await asyncio.to_thread(_take, hooks, owned, headers, body, parts.clock.now())
    except StoreError as error:
        retry = {"Retry-After": _RETRY_S}
        raise Refusal(503, "unavailable", f"{error}", headers=retry) from None
    except FullError:
        raise Refusal(
            429,
            "queue-full",
            "Too many runs of the workflow wait already.",
            hint="Send the request again later: nothing of it is recorded.",
            headers={"Retry-After": _RETRY_S},
        ) from None
    if received.refusal:
        raise Refusal(422, "unfitting", received.refusal)
    answer = HookAnswer(event=received.id, runs=received.runs)
    return json_answer(answer, status=202 if received.is_new else 200)


def _take(
    hooks: Hooks, owned: Owned, headers: Mapping[str, str], body: bytes, now: float
) -> Received:
    """Check a request in the order, and record it. Raises `Refusal`, and `StoreError`."""
    try:
        hooks.verify(owned, headers, body, now)
    except SignatureError as error:
        raise Refusal(401, "bad-signature", error.message, hint=error.hint) from None
    webhook = webhook_of(owned)
    sent_id = delivery_id(scheme_of(webhook), headers) or headers.get("idempotency-key")
    request_id = new_token(20) if sent_id is None else sent_id
    if not 0 < len(request_id) <= _LONGEST_ID:
        raise Refusal(422, "bad-request", f"The id of a request has 1 to {_LONGEST_ID} characters.")
    if sent_id is not None and (known := hooks.known(owned, request_id)) is not None:
        return known
    kept = {name: headers.get(name) for name in map(str.lower, webhook.headers)}
    event = {
        "path": webhook.path,
        "headers": {name: None if name in _NEVER else text for name, text in kept.items()},
        "body": _parsed(headers.get("content-type", ""), body),
    }
    try:
        data = encode(event, where="request")
    except ResultError as error:
        raise Refusal(422, "bad-request", error.message) from None
    arrival = Arrival(source=WEBHOOK, name=webhook.path, id=request_id, data=data, at=now)
    return hooks.receive(owned, arrival, now)


def _parsed(content_type: str, body: bytes) -> Json:
    """The body, as the type that it was declared to be. Raises `Refusal`."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return None
    try:
        if kind == JSON or kind.endswith("+json"):
            value: Json = decode(body)
            return value
        text = body.decode()
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1_000))
        if kind == "text/plain":
            return text
    except (ValueError, ResultError):
        raise Refusal(422, "bad-request", f"The body isn't {kind}.") from None
    raise Refusal(
        415,
        "bad-type",
        "A webhook takes JSON, a form or plain text.",
        hint=f"Send it as {JSON}.",
    )


def _hooks(parts: Parts, headers: Mapping[str, str]) -> Hooks:
    """The hooks of the project, whose runs are in the trace of a request."""
    settings = parts.settings

    def make(owned: Owned, facts: FrozenDict, at: float) -> tuple[RunRecord, Submission]:
        run, place = parts.make_runs.make(owned, facts, at)
        return traced(run, headers), place

    return Hooks(
        parts.store,
        parts.project,
        make,
        lambda name: secret_of(settings, name),
        lambda: new_token(32),
        settings.limits.queued,
        parts.triggers_clock.tell,
    )


ROUTES: Final = (
    Route(
        method="POST",
        path="/hooks/{path}",
        handler=post_hook,
        is_open="Each webhook checks the signature of its sender, unless its file says `none`.",
        answer=HookAnswer,
        status=202,
        rate=HOOKS,
        most_bytes=_MOST_BODY_BYTES,
    ),
)
