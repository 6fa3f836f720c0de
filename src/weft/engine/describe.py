"""Turns exceptions into what is recorded of them: masked, bounded, with the author's traceback."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from weft.engine.masking import Masker
from weft.errors import AttemptError
from weft.model import ErrorInfo, Limits
from weft.values import encode, freeze

_PACKAGE = Path(__file__).parent.parent
_CORE_PACK = _PACKAGE / "actions" / "core"


def describe_error(error: BaseException, masker: Masker, limits: Limits) -> ErrorInfo:
    """What is recorded of an exception: masked, of bounded size, with the author's traceback."""
    bound = limits.error_bytes
    if isinstance(error, AttemptError):
        kind, message, trace = error.type, str(error), None
        data = _as_json(error.data, bound)
    else:
        kind, message, data = type(error).__name__, str(error), None
        trace = _shorten(masker.text(_own_traceback(error)), bound)
    message = " ".join(message.split()) or "no message"
    return ErrorInfo(
        _clean(kind), _clean(_shorten(masker.text(message), bound)), masker.mask(data), trace
    )


def _as_json(data: Any, bound: int) -> Any:
    try:
        encoded = encode(data)
    except AttemptError as error:
        return f"(no data: {error.message})"
    if len(encoded) > bound:
        return f"(no data: {len(encoded):,} bytes are over limits.error_bytes)"
    return freeze(data)


def _own_traceback(error: BaseException) -> str:
    """The traceback from the author's first frame on; the engine's frames help nobody."""
    frames: TracebackType | None = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames or error.__traceback__)
    return _clean("".join(lines))


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(_PACKAGE) and not path.is_relative_to(_CORE_PACK)


def _clean(text: str) -> str:
    """The text with what can't be stored replaced."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _shorten(text: str, bound: int) -> str:
    if len(text) <= bound:
        return text
    half = bound // 2
    return f"{text[:half]} ... {len(text) - bound:,} characters left out ... {text[-half:]}"
