"""Demos as a project to be served: copies of them on real input, with faster schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

from fanwise.demos.copying import copy_demo
from fanwise.demos.logs.writing import write_logs
from fanwise.demos.monitor.fleet import make_fleet, write_inventory
from fanwise.demos.monitor.process import serving as serving_fleet
from fanwise.demos.process import serving

_SEED: Final = 7

Changes = dict[str, str]
"""Parts of a workflow's text, and their replacements."""


@contextmanager
def served(folder: Path, sizes: Mapping[str, int], say: Callable[[str], None]) -> Iterator[None]:
    """Make a project of demos, by their names with their sizes, in a folder.

    Their servers answer while the block lasts.
    """
    with ExitStack() as stack:
        for name, size in sizes.items():
            say(f"Preparing {name} ...")
            copy_demo(name, folder / name)
            changes = stack.enter_context(_PREPARED[name](folder / name, size))
            workflow = folder / name / "workflow.yaml"
            text = workflow.read_text()
            for written, new in changes.items():
                assert written in text, written
                text = text.replace(written, new)
            workflow.write_text(text)
        (folder / "fanwise.yaml").write_text("workflows: ['*/workflow.yaml']\n")
        yield


@contextmanager
def _monitor(folder: Path, servers: int) -> Iterator[Changes]:
    with serving_fleet(servers=servers, seed=_SEED) as url:
        write_inventory(folder / "servers.json", url, make_fleet(servers, _SEED))
        yield _faster("every_five_minutes", "schedule: 5m", "every_five_seconds", "5s")


@contextmanager
def _logs(folder: Path, lines: int) -> Iterator[Changes]:
    (folder / "logs").mkdir()
    write_logs(folder / "logs", lines)
    yield _faster("every_five_minutes", "schedule: 5m", "every_fifteen_seconds", "15s")


@contextmanager
def _notify(folder: Path, messages: int) -> Iterator[Changes]:
    people = ("--messages", messages, "--seed", _SEED)
    with (
        serving("fanwise.demos.notify.users_server", *people) as users,
        serving("fanwise.demos.notify.mail_server", *people, "--log", folder / "mail.log") as smtp,
    ):
        yield {
            "http://127.0.0.1:8025/users": users,
            "smtp://127.0.0.1:2525": smtp,
            **_faster(
                "every_month",
                'schedule: {cron: "0 9 1 * *", timezone: Europe/Berlin}',
                "every_half_minute",
                "30s",
            ),
        }


def _faster(name: str, schedule: str, new_name: str, span: str) -> Changes:
    return {f"name: {name}": f"name: {new_name}", schedule: f"schedule: {span}"}


_PREPARED: Final[Mapping[str, Callable[[Path, int], AbstractContextManager[Changes]]]] = {
    "monitor": _monitor,
    "logs": _logs,
    "notify": _notify,
}
