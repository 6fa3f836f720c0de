"""Tags of answers: a client that shows the tag of its answer is told if it is still the same.

A tag is the hash of the state that an answer follows from, where the store tells that at once, so
that nothing else is read. Else it is empty until the answer is there, and then the hash of that.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from typing import Final

import msgspec

from fanwise.model import RunRecord
from fanwise.server.finding import run_of
from fanwise.server.routes import Answer, Call

_BYTES: Final = 16


def of_records(call: Call) -> str:
    """Return the tag of answers that follow from the records of a run alone."""
    run = run_of(call)
    return _tag(run, call.parts.store.heads([run.run_no]).runs[run.run_no])


def of_run(call: Call) -> str:
    """Return the tag of answers about how a run stands, if it is over: nothing moves it then."""
    run = run_of(call)
    if not run.status.is_final:
        return ""
    head = call.parts.store.heads([run.run_no]).runs[run.run_no]
    return _tag(run, head, call.parts.runs.submission(run))


def of_answer(answer: Answer) -> str:
    """Return the tag of an answer by its content."""
    return _quoted(answer.body)


def is_known(call: Call, tag: str) -> bool:
    """Say whether the client that asks has the answer of this tag."""
    shown = ",".join(call.request.headers.getall("If-None-Match", []))
    return tag in (each.strip().removeprefix("W/") for each in shown.split(","))


def _tag(run: RunRecord, *state: object) -> str:
    return _quoted(msgspec.json.encode([_version(), run.id, run.created_at, *state]))


def _quoted(state: bytes) -> str:
    return f'"{hashlib.blake2b(state, digest_size=_BYTES).hexdigest()}"'


@cache
def _version() -> str:
    return version("fanwise")
