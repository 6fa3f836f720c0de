"""Long work in short transactions, with pauses in which other processes find the store free."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

# Other processes that want to write look again after 1 to 100 ms. A transaction is to be shorter
# than most of these, and the pause after it as long, so that they find the store free.
_TURN_S = 0.01
_FIRST_TURN = 16
_LONGEST_TURN = 8_192


def in_turns(work: Callable[[int], int]) -> Iterator[int]:
    """Call `work` with the most that it may do, until it does less; give what each call has done.

    The amount follows from the time that it takes: rows hold anything from a few bytes to
    megabytes.
    """
    most = _FIRST_TURN
    while True:
        started_at = time.monotonic()
        done = work(most)
        took_s = time.monotonic() - started_at
        if done:
            yield done
        if done < most:
            return
        most = min(most * 2, _LONGEST_TURN) if took_s < _TURN_S else max(most // 2, 1)
        time.sleep(took_s)
