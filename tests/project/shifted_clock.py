"""A pytest plugin: the clock of this process differs by `CLOCK_SHIFT_S` seconds."""

import os
import time

_SHIFT_S = int(os.environ["CLOCK_SHIFT_S"])
_time, _time_ns = time.time, time.time_ns


def _shifted_time() -> float:
    return _time() + _SHIFT_S


def _shifted_time_ns() -> int:
    return _time_ns() + _SHIFT_S * 1_000_000_000


time.time = _shifted_time
time.time_ns = _shifted_time_ns
