"""Errors of attempts as they leave a worker: whole, since the engine masks before it shortens."""

from __future__ import annotations

from fanwise.engine.describe import facts_of
from fanwise.engine.masking import Masker
from fanwise.errors import AttemptError, ResultError
from fanwise.executors.failures import encode_error
from fanwise.executors.frames import Failure
from fanwise.model import ErrorInfo, Limits
from fanwise.values import encode, freeze

_NO_SECRETS = Masker(())


def failure_of(error: BaseException, limits: Limits) -> Failure:
    """The error of an attempt, as it is sent. Never raises, whatever the error's class does."""
    facts = facts_of(error)
    most = limits.result_bytes
    info = ErrorInfo(
        _sendable(facts.type, most),
        _sendable(facts.message, most),
        _sendable_data(facts.data, most),
        None if facts.traceback is None else _sendable(facts.traceback, most),
    )
    retryable, retry_after_s = True, None
    if issubclass(type(error), AttemptError):
        retryable, retry_after_s = _is_retryable(error), _retry_after_s(error)
    return Failure(encode_error(info), retryable, retry_after_s)


def _sendable(text: str, most_bytes: int) -> str:
    """A text as UTF-8 can carry it. What is far too long is left out, since a cut has two sides."""
    data = text.encode("utf-8", "replace")
    if len(data) > most_bytes:
        return f"(its text has {len(data):,} bytes, over limits.result_bytes)"
    return data.decode()


def _sendable_data(data: object, most_bytes: int) -> object:
    """An error's data, or a note in its place, as `describe_error` leaves it."""
    if data is None:
        return None
    try:
        size = len(encode(freeze(_NO_SECRETS.mask(data))))
    except ResultError as error:
        return f"(no data: {error.message})"
    except BaseException:  # it is read with the author's code
        return "(no data: it can't be read)"
    if size > most_bytes:
        return f"(no data: {size:,} bytes are over limits.result_bytes)"
    return data


def _is_retryable(error: BaseException) -> bool:
    try:
        return bool(getattr(error, "retryable", True))
    except Exception:
        return False


def _retry_after_s(error: BaseException) -> float | None:
    try:
        asked = getattr(error, "retry_after_s", None)
        return None if asked is None else float(asked)
    except Exception:
        return None
