"""Values that can be shared: frozen dicts and lists, and what counts as JSON.

JSON here means exactly None, bool, int, finite float, str (without lone surrogates or NUL), list,
tuple (which becomes a list) and dict with str keys. Everything that enters a context or the store
goes through `freeze` or `encode`, which accept nothing else, so whatever holds a value later may
share it by reference without a copy and without a lock.

A frozen value reads, compares, pickles and serialises as the dict or list that it is; its methods
and operators that write raise `FrozenError`. That stops mistakes, not intent: functions of CPython
that reach into the dict or list itself, such as `heapq.heappush(frozen, x)`, `frozen.__init__()` or
`list.append(frozen, x)`, still write, and nothing in Python could stop them.

No JSON text has more than `MAX_DEPTH` levels: `encode` refuses more. `freeze` shares a frozen part
without a look inside, so a value made of frozen parts is measured when it is encoded, at the speed
of the encoder. What is nested too deeply is a `ResultError` here, never a `RecursionError`.

This module never changes a value in place and knows nothing of contexts or stores.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, cast, overload

import msgspec

from fanwise.errors import FrozenError, ResultError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A JSON value, frozen or not."""

JsonObject: TypeAlias = dict[str, Json]
"""A JSON object that isn't frozen."""

MAX_DEPTH = 200
"""Levels of nesting that a value may have; deeper ones can't be told from a cycle."""

CHUNK_ITEMS = 1_000
"""The most elements that `LazyList.chunk` gives."""

_MAX_INT_BITS = 14_000  # CPython refuses to print integers of more than 4,300 digits.

# JSON text can carry neither, and PostgreSQL refuses both.
_unstorable = re.compile("[\x00\ud800-\udfff]").search

# A level takes two brackets at least, so text of up to these many bytes can't be too deep.
_FLAT_BYTES = 2 * MAX_DEPTH
_TO_ROUND = bytes.maketrans(b"{[]}", b"(())")
_UNLIKE_MARKS = bytes(set(range(256)) - set(b'{[]}"'))

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def _refuse(self: object, *_: object, **__: object) -> NoReturn:
    kind = "dict" if isinstance(self, dict) else "list"
    raise FrozenError(
        f"this {kind} is shared with other tasks and items and can't be changed.",
        hint="Make a copy of your own with fanwise.thaw(value).",
    )


class FrozenDict(dict[str, Any]):
    """A dict that can't be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: object) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A list that can't be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __copy__(self) -> FrozenList:
        return self

    def __deepcopy__(self, memo: object) -> FrozenList:
        return self

    def __reduce__(self) -> tuple[type[FrozenList], tuple[list[Any]]]:
        return FrozenList, (list(self),)


class LazyList(Sequence[Any]):
    """A list whose elements are read when they are asked for; the elements are frozen.

    Subclasses give `__len__`, `__getitem__` and, where it is faster, `__iter__`. A lazy list is
    itself never written anywhere: `freeze` reads it into a frozen list.
    """

    __slots__ = ()

    def chunk(self, start: int) -> Sequence[Any]:
        """The elements from `start` on that one read gives: one at least, but none at the end.

        There are at most `CHUNK_ITEMS`. A subclass gives fewer where they are large.
        """
        return self[start : start + CHUNK_ITEMS]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | LazyList):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


class PagedList(LazyList):
    """A lazy list that reads pages. Subclasses give `__len__` and `chunk`."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> Json: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Json]: ...
    def __getitem__(self, index: int | slice) -> Json:
        length = len(self)
        if isinstance(index, slice):
            return [self._element(at) for at in range(*index.indices(length))]
        at = index + length if index < 0 else index
        if not 0 <= at < length:
            raise IndexError(f"index {index} of a list of {length}")
        return self._element(at)

    def __iter__(self) -> Iterator[Json]:
        start = 0
        while chunk := self.chunk(start):
            yield from chunk
            start += len(chunk)

    def _element(self, index: int) -> Json:
        """The element at an index of the list."""
        element: Json = self.chunk(index)[0]
        return element


EMPTY_DICT = FrozenDict()
EMPTY_LIST = FrozenList()

_ATOMS = frozenset({type(None), bool})
_FROZEN = frozenset({FrozenDict, FrozenList})
_SIMPLE = frozenset({str, int, *_ATOMS, *_FROZEN})
_OPEN = frozenset({dict, list})


def freeze(value: object, *, where: str = "$") -> Any:
    """Return `value` as frozen JSON, sharing every part that is frozen already.

    `where` is the path that errors start from. Raises `ResultError` for what isn't JSON.
    """
    try:
        return _freeze(value, 0)
    except (_NotJsonError, RecursionError):
        raise _explained(value, where) from None


def read_lazy(value: object) -> Any:
    """A frozen value with every lazy list in it read, sharing what holds none.

    Raises `ResultError` for what is nested too deeply.
    """
    try:
        return _read_lazy(value)
    except RecursionError:
        raise _too_deep("$") from None


def encode(value: object, *, where: str = "$") -> bytes:
    """Return `value` as JSON text in UTF-8. Raises `ResultError` for what isn't JSON."""
    if value is None:  # what most actions without a result give
        return b"null"
    try:
        # The encoder refuses surrogates (UnicodeError) and integers that CPython won't print.
        is_plain = type(value) in _SIMPLE or _is_plain(value, 0)
        data = _encode(value if is_plain else _freeze(value, 0))
    except (_NotJsonError, RecursionError, ValueError):
        raise _explained(value, where) from None
    if b"\\u0000" in data:  # a NUL, or a text that spells one
        _explain(value, where, 0)
    if len(data) > _FLAT_BYTES and _is_deep(data):
        raise _explained(value, where)
    return data


def decode(data: bytes) -> Any:
    """Return the frozen value of JSON text that `encode` made.

    Raises `ResultError` for other text that is nested too deeply.
    """
    try:
        return _share(_decode(data))
    except RecursionError:
        raise _too_deep("$") from None


def thaw(value: object) -> Any:
    """Return a deep copy of `value` made of plain dicts and lists, yours to change.

    Raises `ResultError` for what is nested too deeply.
    """
    try:
        return _thaw(value)
    except RecursionError:
        raise _too_deep("$") from None


class _NotJsonError(Exception):
    """Somewhere in a value is something else than JSON; `_explain` finds the place."""


# The walks below run for every result, so they carry no path and read a type once. Only when one
# of them has failed does `_explain` walk again, to say where and why.


def _freeze(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is dict:
        if depth >= MAX_DEPTH:
            raise _NotJsonError
        for key in value:
            if type(key) is not str or not is_storable(key):
                raise _NotJsonError
        return FrozenDict({key: _freeze(part, depth + 1) for key, part in value.items()})
    if kind is list or kind is tuple or isinstance(value, LazyList):
        if depth >= MAX_DEPTH:
            raise _NotJsonError
        return FrozenList([_freeze(part, depth + 1) for part in value])
    if kind not in _FROZEN and not _is_scalar(value):
        raise _NotJsonError
    return value


def _is_plain(value: Any, depth: int) -> bool:
    """True if the encoder can take `value` as it is; texts and integers it checks itself."""
    kind = type(value)
    if kind in _SIMPLE:
        return True
    if kind is dict:
        if depth >= MAX_DEPTH:
            return False
        for key, part in value.items():
            if type(key) is not str:
                return False
            if type(part) not in _SIMPLE and not _is_plain(part, depth + 1):
                return False
        return True
    if kind is list or kind is tuple:
        if depth >= MAX_DEPTH:
            return False
        for part in value:
            if type(part) not in _SIMPLE and not _is_plain(part, depth + 1):
                return False
        return True
    return kind is float and math.isfinite(value)


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return is_storable(value)
    if kind is float:
        return math.isfinite(value)
    if kind is int:
        return cast("int", value).bit_length() <= _MAX_INT_BITS
    return kind in _ATOMS


def is_storable(text: str) -> bool:
    """Say whether text can be stored: without lone surrogates, and without NUL."""
    # isascii() reads a flag; only text beyond ASCII can hold surrogates.
    return "\0" not in text if text.isascii() else not _unstorable(text)


def _is_deep(data: bytes) -> bool:
    """True if JSON text has more than `MAX_DEPTH` levels, found without a walk in Python."""
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return False
    if b"\\" in data:  # Afterwards each quote opens or closes a text.
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Taking out two quotes side by side leaves everything else inside or outside of a text.
    marks = data.translate(_TO_ROUND, _UNLIKE_MARKS).replace(b'""', b"")
    marks = b"".join(marks.split(b'"')[::2])
    for _ in range(MAX_DEPTH):
        if not marks:
            return False
        marks = marks.replace(b"()", b"")  # Takes the innermost level away everywhere.
    return bool(marks)


def _read_lazy(value: object) -> Any:
    if isinstance(value, LazyList):
        return FrozenList(list(value))
    if isinstance(value, dict):
        parts = {key: _read_lazy(part) for key, part in value.items()}
        return value if all(parts[key] is value[key] for key in parts) else FrozenDict(parts)
    if isinstance(value, list):
        read = [_read_lazy(part) for part in value]
        return value if all(a is b for a, b in zip(read, value, strict=True)) else FrozenList(read)
    return value


def _thaw(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _thaw(part) for key, part in value.items()}
    if isinstance(value, list | tuple | LazyList):
        return [_thaw(part) for part in value]
    return value


def _share(value: Any) -> Any:
    """Freeze a value that has just been decoded; nobody else has it yet."""
    kind = type(value)
    if kind is dict:
        for key, part in value.items():
            if type(part) in _OPEN:
                value[key] = _share(part)
        return FrozenDict(value)
    if kind is list:
        return FrozenList([_share(part) if type(part) in _OPEN else part for part in value])
    return value


def _explained(value: object, where: str) -> ResultError:
    """The error of a value that was refused."""
    try:
        _explain(value, where, 0)
    except ResultError as error:
        return error
    except RecursionError:
        pass
    # Nothing is wrong with what can be walked, so a frozen part is to blame.
    return _too_deep(where)


def _too_deep(where: str) -> ResultError:
    shown = where if len(where) <= 60 else f"{where[:60]}..."
    return ResultError(
        f"{shown} is nested more than {MAX_DEPTH} levels deep, or holds itself.",
        path=where,
        hint="Return the parts by themselves, or a flatter shape.",
    )


def _explain(value: Any, where: str, depth: int) -> None:
    """Raise a `ResultError` for the first part of `value` that isn't JSON."""
    kind = type(value)
    parts: Iterable[tuple[str, object]]
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise ResultError(
                    f"{where} has a key of type {type(key).__name__}; keys in JSON are text.",
                    path=where,
                    hint="Convert the keys with str().",
                )
            _explain(key, f"a key of {where}", depth)
        parts = ((f"{where}.{key}", part) for key, part in value.items())
    elif kind is list or kind is tuple or isinstance(value, LazyList):
        parts = ((f"{where}[{index}]", part) for index, part in enumerate(value))
    elif kind in _FROZEN or _is_scalar(value):
        return
    else:
        reason, hint = _reason(value)
        raise ResultError(f"{where} {reason}", path=where, hint=hint)
    if depth >= MAX_DEPTH:
        raise _too_deep(where)
    for path, part in parts:
        _explain(part, path, depth + 1)


def _reason(value: object) -> tuple[str, str]:
    """The reason that a scalar isn't JSON, and its remedy."""
    kind = type(value)
    if kind is str:
        return (
            "holds a NUL character or half of a surrogate pair, which can't be stored.",
            "Remove it, or decode bytes with errors='replace'.",
        )
    if kind is float:
        return "is NaN or infinite, which JSON doesn't have.", "Use None for 'no number'."
    if kind is int:
        return "is an integer of more than 4,300 digits.", "Return it as text."
    return (
        f"is of type {kind.__name__}, which isn't JSON.",
        "Return None, bool, int, float, str, list or dict; str() or float() makes one.",
    )


__all__ = [
    "CHUNK_ITEMS",
    "EMPTY_DICT",
    "EMPTY_LIST",
    "MAX_DEPTH",
    "FrozenDict",
    "FrozenList",
    "Json",
    "JsonObject",
    "LazyList",
    "decode",
    "encode",
    "freeze",
    "read_lazy",
    "thaw",
]
