"""Promises of every store about named limits, as tests to mix into a `StoreContract`.

class TestMyStore(SharesContract, StoreContract):
    def open(self, folder: Path, now: Callable[[], float]) -> Store:
        return MyStore(folder / "store", now)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from fanwise.model import SHARE_S, Share, ShareUse, ShareWish
from fanwise.stores import Store
from fanwise.testing.clock import ManualClock
from fanwise.testing.ownership_contract import at_once


class SharesContract:
    """The promises of `Shares`."""

    def test_an_engine_alone_gets_all_that_it_wants(self, store: Store) -> None:
        """Up to the limit, and it is listed with that until it gives all back."""
        assert store.exchange(1, [_wish(wants=3)]) == {"db": Share(3, 3)}
        assert store.exchange(1, [_wish(wants=30)]) == {"db": Share(10, 10)}
        assert store.shares() == [ShareUse("db", 1, 10, 0, 30, 10)]
        store.give_back(1)
        assert store.shares() == []

    def test_slots_move_to_the_engine_that_wants_them(self, store: Store) -> None:
        """Once the one that had them has heard of it and uses no more than its part."""
        first = store.exchange(1, [_wish(wants=10)])["db"]
        assert store.exchange(2, [_wish(wants=10)])["db"] == Share(0, 5)
        first = store.exchange(1, [_wish(wants=10, holds=first.target)])["db"]
        assert first == Share(10, 5)
        assert store.exchange(2, [_wish(wants=10)])["db"] == Share(0, 5)
        first = store.exchange(1, [_wish(wants=10, holds=first.target)])["db"]
        assert first == Share(5, 5)
        assert store.exchange(2, [_wish(wants=10)])["db"] == Share(5, 5)

    def test_an_engine_that_wants_nothing_leaves_all_to_others(self, store: Store) -> None:
        """It isn't listed any more either."""
        store.exchange(1, [_wish(wants=10)])
        store.exchange(1, [_wish(wants=0)])
        assert store.shares() == []
        assert store.exchange(2, [_wish(wants=10)])["db"].slots == 10

    def test_the_share_of_a_dead_engine_is_free_again(
        self, store: Store, clock: ManualClock
    ) -> None:
        """After a time without a renewal, and not before."""
        store.exchange(1, [_wish(wants=10)])
        clock.advance(SHARE_S)
        assert store.exchange(2, [_wish(wants=10)])["db"].slots == 0
        clock.advance(0.5)
        assert store.exchange(2, [_wish(wants=10)])["db"].slots == 10

    def test_shares_never_add_up_to_more_than_the_limit(self, store: Store) -> None:
        """Whatever engines ask for at once, and all of it is given in the end."""
        caps = [0] * 8

        for turn in range(12):
            wants = [(engine * 5 + turn // 6 * 3) % 7 for engine in range(8)]

            def renew(engine: int, wants: Sequence[int] = wants) -> None:
                wish = _wish(wants=wants[engine], holds=caps[engine])
                share = store.exchange(engine + 1, [wish])["db"]
                caps[engine] = min(share.slots, share.target)

            at_once(8, renew)
            assert sum(each.slots for each in store.shares()) <= 10
        assert sum(caps) == 10

    def test_starts_are_reserved_one_after_the_other(
        self, store: Store, clock: ManualClock
    ) -> None:
        """Over all engines, evenly, and never more of them after a pause."""
        first = store.exchange(1, [_wish(per_s=10.0, wants=1, starts=3)])["db"]
        second = store.exchange(2, [_wish(per_s=10.0, wants=1, starts=1)])["db"]
        assert (first.first_in_s, first.starts) == (0.0, 3)
        assert second.first_in_s == pytest.approx(0.3)
        clock.advance(5)
        third = store.exchange(1, [_wish(per_s=10.0, wants=1, starts=1)])["db"]
        assert third.first_in_s == 0.0
        fourth = store.exchange(2, [_wish(per_s=10.0, wants=1, starts=1)])["db"]
        assert fourth.first_in_s == pytest.approx(0.1)

    def test_starts_of_engines_that_ask_at_once_are_never_the_same(self, store: Store) -> None:
        """Each time is given out once."""
        wishes = [_wish(per_s=10.0, wants=1, starts=1)]
        given = at_once(8, lambda engine: store.exchange(engine + 1, wishes)["db"].first_in_s)
        counted = Counter(round(each * 10) for each in given)
        assert counted == Counter(range(8))

    def test_limits_know_nothing_of_each_other(self, store: Store) -> None:
        """Each has its own slots and starts."""
        wishes = [ShareWish(name, 2, None, 0, 5) for name in ("b", "a")]
        assert store.exchange(1, wishes) == {"a": Share(2, 2), "b": Share(2, 2)}


def _wish(*, wants: int, holds: int = 0, per_s: float | None = None, starts: int = 0) -> ShareWish:
    return ShareWish("db", 10, per_s, 0, wants, starts, holds)
