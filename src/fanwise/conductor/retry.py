"""Delays before retries: pure arithmetic, without a clock."""

from __future__ import annotations

import math

import msgspec


class RetryPolicy(msgspec.Struct, frozen=True):
    """`count` tries after the first; `delay_s` before the first of them, and at most `max_delay_s`.

    `backoff` says how the delay grows: not at all, by itself each time, or doubling. No try begins
    more than `within_s` after the first.
    """

    count: int = 0
    delay_s: float = 0.0
    backoff: str = "exponential"
    max_delay_s: float = math.inf
    jitter: bool = False
    within_s: float = math.inf

    def allows(self, attempt: int, passed_s: float) -> bool:
        """True if attempt number `attempt + 1` may begin, `passed_s` after the first has begun."""
        return attempt <= self.count and passed_s <= self.within_s

    def wait_s(self, attempt: int, fraction: float) -> float:
        """Seconds to wait after the failure of attempt number `attempt`, which counts from 1.

        With jitter the wait is between half and all of the full one, by `fraction` (0 to 1), so
        that items that failed together don't come back together.
        """
        match self.backoff:
            case "constant":
                factor = 1.0
            case "linear":
                factor = float(attempt)
            case _:
                factor = 2.0 ** min(attempt - 1, 1000)  # 2.0 ** 1024 overflows
        full = min(self.delay_s * factor, self.max_delay_s)
        return full * (0.5 + 0.5 * fraction) if self.jitter else full
