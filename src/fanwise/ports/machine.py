"""The machine that an engine runs on: time, processes, randomness, secrets.

`fanwise.system` has the real ones. Times are seconds since the epoch, spans seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Protocol

from fanwise.model import Lease, Owner


class Clock(Protocol):
    """Time. `call_later` calls on the event loop's thread."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back, from any start."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay_s` seconds from now."""


class Timer(Protocol):
    """A call that is due."""

    def cancel(self) -> None:
        """Don't make the call, if it hasn't been made."""


class ProcessState(Enum):
    """What has become of a process, as far as can be told from here."""

    ALIVE = "alive"
    STOPPED = "stopped"
    """by a signal; it may go on at any time"""
    GONE = "gone"
    UNKNOWN = "unknown"
    """since it runs on another machine"""


class Processes(Protocol):
    """What can be told of other processes on this machine."""

    def this(self) -> Owner:
        """This process, with a token that nobody else has."""

    def state(self, owner: Owner) -> ProcessState:
        """What has become of a process."""


def is_driven(lease: Lease | None, processes: Processes) -> bool:
    """Say whether an engine drives the run at this moment.

    Where the state of its process can't be known, its silence says.
    """
    if lease is None or lease.owner is None:
        return False
    match processes.state(lease.owner):
        case ProcessState.ALIVE:
            return True
        case ProcessState.GONE:
            return False
        case ProcessState.STOPPED | ProcessState.UNKNOWN:
            return lease.silent_s < lease.owner.lease_s


class Randomness(Protocol):
    """Randomness."""

    def fraction(self) -> float:
        """A number from 0 to 1."""

    def token(self, length: int) -> str:
        """So many letters and digits that can't be guessed."""


SECRET_PREFIX: Final = "FANWISE_SECRET_"
"""The beginning of environment variables that hold secrets, each named after its secret."""


class Secrets(Protocol):
    """Where the values of secrets come from."""

    def get(self, name: str) -> str | None:
        """The secret's value, or None if there is none."""

    def values(self) -> Sequence[str]:
        """The values of all secrets that there are, for masking."""
