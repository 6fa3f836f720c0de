"""Decides on who has slots: a new run whose key may have none left, and engines that share some.

Runs of a key are holders, which have a slot, or wait for one. Pure: no clock, no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

_Id = TypeVar("_Id")


class Admission(msgspec.Struct, Generic[_Id], frozen=True):
    """The decision on a new run, and the others that make way for it.

    With `is_full` there is no slot for it. A run that `is_skipped` isn't made. Holders in
    `cancelled` are asked to end, and runs in `replaced`, which haven't started, end at once.
    """

    is_full: bool = False
    is_skipped: bool = False
    cancelled: Sequence[_Id] = ()
    replaced: Sequence[_Id] = ()


def admit(
    when_full: str, most: int, holders: Sequence[_Id], waiting: Sequence[_Id]
) -> Admission[_Id]:
    """Decide on a new run of a key with `most` slots; the others are given oldest first."""
    excess = len(holders) + len(waiting) + 1 - most
    if excess <= 0:
        return Admission()
    if when_full == "cancel":
        replaced = waiting[: max(0, excess - len(holders))]
        return Admission(is_full=True, cancelled=holders[:excess], replaced=replaced)
    if when_full == "latest":
        kept = max(1, most - len(holders)) - 1
        return Admission(is_full=True, replaced=waiting[: len(waiting) - kept])
    return Admission(is_full=True, is_skipped=when_full == "skip")


def divided(total: int, wants: Mapping[int, int]) -> dict[int, int]:
    """Divide slots among engines evenly; of slots that one doesn't want the others get more."""
    shares = dict.fromkeys(wants, 0)
    left = total
    short = sorted(engine for engine, wanted in wants.items() if wanted > 0)
    while left and short:
        each = max(1, left // len(short))
        for engine in short:
            given = min(each, wants[engine] - shares[engine], left)
            shares[engine] += given
            left -= given
        short = [engine for engine in short if shares[engine] < wants[engine]]
    return shares
