"""What a demo is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

import fanwise.demos
from fanwise.cli.execute import execute
from fanwise.cli.output import prints_aside
from fanwise.cli.run import tell
from fanwise.model import Run
from fanwise.ports import Observer
from fanwise.wiring import Settings, load_plan


class Played(msgspec.Struct, frozen=True):
    """What came of a demo. Of a run that didn't succeed nothing is measured.

    `headline` says in a few words what was done, how often and how fast. `rows` are what was
    measured, as labels and texts, and `figures` the same for programs. `failed` says why what the
    workflow found isn't what is true, if it isn't. `further` are labels and commands to look at
    more of the run.
    """

    run: Run
    headline: str = ""
    rows: Sequence[tuple[str, str]] = ()
    figures: Any = None
    failed: str | None = None
    further: Sequence[tuple[str, str]] = ()


class Stage(msgspec.Struct, frozen=True):
    """Where a demo is played.

    `store` is the one that the command line named, if it did. `folder` is empty, and removed when
    the demo is over. `size` is how many servers, lines or messages the demo works on.
    """

    settings: Settings
    store: str | None
    folder: Path
    size: int

    def run(
        self, workflow: Path, parameters: Mapping[str, Any], *, observer: Observer | None = None
    ) -> Run:
        """Run a workflow as `fanwise run` does, and tell the summary. Raises what that raises.

        Its servers and files are gone when the demo is over, so a paused run can't go on.
        """
        with prints_aside():
            plan = load_plan(workflow, self.settings)
        done = execute(plan, parameters, self.settings, observer=observer)
        tell(done, self.settings, store=self.store, json=False, has_output=False, can_go_on=False)
        return done


def demo_folder(name: str) -> Path:
    """The folder with a demo's workflow and actions."""
    return Path(fanwise.demos.__file__).parent / name
