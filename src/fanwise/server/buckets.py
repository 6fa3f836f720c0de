"""Token buckets: how often something may be done. Pure, and bounded however many ask."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

MOST_BUCKETS: Final = 10_000


class Rate(NamedTuple):
    """At most `burst` at once, and `per_s` in the long run; `name` tells it from other rates."""

    name: str
    per_s: float
    burst: int


READS: Final = Rate("reads", 50.0, 200)
STARTS: Final = Rate("starts", 1.0, 60)
SIGN_INS: Final = Rate("sign-ins", 10 / 60, 10)


class Buckets:
    """The buckets of all that ask; those that were asked longest ago are forgotten first."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, rate: Rate, key: str, now: float) -> float:
        """Take one of what `key` may do, and return 0, or the seconds until there is one."""
        left, at = self._buckets.pop((rate.name, key), (float(rate.burst), now))
        left = min(float(rate.burst), left + (now - at) * rate.per_s)
        wait_s = 0.0 if left >= 1.0 else (1.0 - left) / rate.per_s
        self._buckets[rate.name, key] = (left if wait_s else left - 1.0, now)
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait_s
