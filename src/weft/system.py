"""The machine's clock, chance and secrets: what the engine's ports are outside of tests."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Mapping

from weft.ports import Timer

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # without those that are read as another


class SystemClock:
    """The machine's time; implements `ports.Clock`."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, on the running event loop."""
        return asyncio.get_running_loop().call_later(delay_s, callback)


class SystemChance:
    """The machine's randomness; implements `ports.Chance`."""

    fraction = staticmethod(random.random)

    def token(self, length: int) -> str:
        """So many letters and digits that can't be guessed."""
        return "".join(secrets.choice(_LETTERS) for _ in range(length))


class EnvironmentSecrets:
    """Secrets from environment variables `WEFT_SECRET_NAME`; implements `ports.Secrets`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def get(self, name: str) -> str | None:
        """The secret's value, or None if there is none."""
        return self._environment.get(f"WEFT_SECRET_{name}")
