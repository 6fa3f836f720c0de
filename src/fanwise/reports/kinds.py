"""The kinds of errors of a task's items, as the store has counted them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fanwise.model import OTHER_KINDS, ErrorKind
from fanwise.ports import Records


class Digest(NamedTuple):
    """The errors of a task's items, the most frequent kind first.

    `others` of the `failed` items are of kinds beyond those that a store tells apart.
    """

    kinds: Sequence[ErrorKind]
    failed: int
    others: int


def digest_items(records: Records, run_no: int, visit_no: int) -> Digest:
    """Read the kinds of a task's failed items; it looks at no item."""
    found = records.kinds(run_no, visit_no)
    others = sum(kind.count for kind in found if kind.number == OTHER_KINDS)
    kinds = [kind for kind in found if kind.number != OTHER_KINDS]
    return Digest(kinds, sum(kind.count for kind in found), others)
