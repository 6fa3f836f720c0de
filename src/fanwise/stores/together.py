"""Changes that several threads make at the same moment, in one transaction.

A commit waits for the disk. The thread whose turn it is makes the changes of all that have come
meanwhile, so that one wait is enough for them. Each thread returns once its change is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, NamedTuple, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Change = TypeVar("_Change")
_Result = TypeVar("_Result")


class _Wish(NamedTuple, Generic[_Change, _Result]):
    change: _Change
    made: Future[_Result]


class Together(Generic[_Key, _Change, _Result]):
    """Makes changes by `make_all`, which gets those of one key and returns a result for each.

    If it raises, nothing is made: the thread tries its own change alone, and so do the others.
    """

    def __init__(self, make_all: Callable[[_Key, Sequence[_Change]], Sequence[_Result]]) -> None:
        self._make_all = make_all
        self._wishes: dict[_Key, list[_Wish[_Change, _Result]]] = {}
        self._adding = threading.Lock()
        self._making = threading.Lock()

    def make(self, key: _Key, change: _Change) -> _Result:
        """Return the result of a change, once it is made."""
        own = _Wish(change, Future[_Result]())
        self._add(key, [own])
        with self._making:
            if not own.made.done():
                self._make(key, own)
        return own.made.result()

    def _add(self, key: _Key, wishes: Sequence[_Wish[_Change, _Result]]) -> None:
        with self._adding:
            self._wishes.setdefault(key, []).extend(wishes)

    def _make(self, key: _Key, own: _Wish[_Change, _Result]) -> None:
        """Make all changes that are wanted by now, among them the thread's own."""
        with self._adding:
            wishes = self._wishes.pop(key)
        others = [each for each in wishes if each is not own]
        try:
            results = self._make_all(key, [each.change for each in wishes])
        except BaseException as error:
            if others:
                self._add(key, others)
            if not others or not isinstance(error, Exception):
                raise
            wishes, results = [own], self._make_all(key, [own.change])
        for each, result in zip(wishes, results, strict=True):
            each.made.set_result(result)
