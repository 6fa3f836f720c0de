"""Facts and chance of this machine: its clock, its user, its secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanwise.ports import Clock

from fanwise.wiring.settings import Settings


def system_clock() -> Clock:
    """The machine's clock."""
    from fanwise.system import SystemClock

    return SystemClock()


def keep_one_heap() -> None:
    """Let the threads of a process that serves share one heap, which keeps its memory small."""
    from fanwise.system import keep_one_heap as keep

    keep()


def this_user() -> str:
    """The name of the user that this process runs as."""
    from fanwise.system import user_name

    return user_name()


def secret_of(settings: Settings, name: str) -> str | None:
    """The secret of that name, or None if this process has none."""
    from fanwise.system import EnvironmentSecrets

    return EnvironmentSecrets(settings.environment).get(name)


def new_token(letters: int = 12) -> str:
    """A text of so many letters and digits that comes but once, and that nobody can guess."""
    from fanwise.system import SystemChance

    return SystemChance().token(letters)


def worker_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that takes runs by these settings. Its arguments show no URL."""
    given = {
        "FANWISE_STORE": settings.store,
        "FANWISE_SERVER": "",
        "FANWISE_PACKS": os.pathsep.join(str(each.absolute()) for each in settings.packs),
        "FANWISE_EXECUTOR": settings.executor or "",
        "FANWISE_PROCESSES": "" if settings.processes is None else str(settings.processes),
        "FANWISE_RAY": settings.ray or "local",
        "FANWISE_PUBLIC_URL": settings.public_url or "",
    }
    return {**settings.environment, **given}
