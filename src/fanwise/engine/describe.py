"""Turns errors into their records: masked, storable, of bounded size.

An exception and all that hangs on it come from an author's code: its text, its type and its data
can be of any kind and size, and looking at them can fail. So whatever that code does, nothing gets
out of `describe_error` but an `ErrorInfo`. Sizes are bytes of UTF-8.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

from fanwise.engine.masking import Masker
from fanwise.errors import AttemptError, ResultError
from fanwise.model import ErrorInfo, Limits
from fanwise.ports import RemoteAttemptError
from fanwise.values import encode, freeze

_T = TypeVar("_T")

_TYPE_BYTES: Final = 200
_MOST_FRAMES: Final = 100  # of each exception in a traceback: a recursion has a thousand
_PACKAGE = Path(__file__).parent.parent
_CORE_PACK = _PACKAGE / "actions" / "core"


def describe_error(error: BaseException, masker: Masker, limits: Limits) -> ErrorInfo:
    """The record of an exception, with the author's traceback. Never raises."""
    return presentable(facts_of(error), masker, limits)


def facts_of(error: BaseException) -> ErrorInfo:
    """An exception's type, message, data and traceback as they are, with secrets. Never raises."""
    if type(error) is RemoteAttemptError:
        return error.info
    if issubclass(type(error), AttemptError):  # isinstance would ask the exception itself
        kind = _text(lambda: getattr(error, "type", ""), "Error")
        data, trace = _attempted(lambda: getattr(error, "data", None), None), None
    else:
        kind, data = _text(lambda: type(error).__name__, "Error"), None
        trace = _attempted(lambda: _own_traceback(error), None)
    return ErrorInfo(kind, _text(lambda: error, "(its text can't be made)"), data, trace)


def presentable(info: ErrorInfo, masker: Masker, limits: Limits) -> ErrorInfo:
    """The same error as it may be recorded and shown; making it presentable again changes nothing.

    Secrets are masked, type and message are one line each, what can't be stored is replaced, and
    what is too long is shortened. Data that isn't JSON or is too large gives way to a note.
    """
    bound = limits.error_bytes
    trace = info.traceback
    return ErrorInfo(
        _line(info.type, masker, _TYPE_BYTES) or "Error",
        _line(info.message, masker, bound) or "no message",
        None if info.data is None else _data(info.data, masker, bound),
        None if trace is None else shortened(masker.text(trace), bound),
    )


def _attempted(make: Callable[[], _T], otherwise: _T) -> _T:
    """The result of an author's code, or `otherwise` if it fails in whatever way."""
    try:
        return make()
    except BaseException:  # also SystemExit and the like, which would end more than the attempt
        return otherwise


def _text(give: Callable[[], object], otherwise: str) -> str:
    """The text of what `give` returns: a `str`, and no subclass of it with a will of its own."""
    return _attempted(lambda: str.__str__(str(give())), otherwise)


def _line(text: str, masker: Masker, bound: int) -> str:
    """The text as one line. Joining lines can join the parts of a secret, so it is masked twice."""
    return shortened(masker.text(" ".join(masker.text(text).split())), bound)


def _data(data: object, masker: Masker, bound: int) -> Any:
    try:
        masked = freeze(masker.mask(freeze(masker.mask(data))))
        size = len(encode(masked))
    except ResultError as error:  # its path may hold keys of the data
        return _line(f"(no data: {error.message})", masker, bound)
    except BaseException:  # a lazy list is read with the author's code
        return "(no data: it can't be read)"
    if size > bound:
        return f"(no data: {size:,} bytes are over limits.error_bytes)"
    return masked


def _own_traceback(error: BaseException) -> str:
    """The traceback from the author's first frame on; the engine's frames help nobody."""
    frames: TracebackType | None = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    lines = traceback.format_exception(
        type(error), error, frames or error.__traceback__, limit=-_MOST_FRAMES
    )
    return str.__str__("".join(lines))


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(_PACKAGE) and not path.is_relative_to(_CORE_PACK)


def shortened(text: str, bound: int) -> str:
    """The text with what can't be stored replaced, and without its middle if it is too long."""
    data = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    if len(data) <= bound:
        return data.decode()
    gap = f" ... {len(data) - bound:,} bytes and more left out ... "
    half = max(0, bound - len(gap)) // 2
    start = data[:half].decode(errors="ignore").rstrip()
    end = data[len(data) - half :].decode(errors="ignore").lstrip()
    return f"{start}{gap}{end}"
