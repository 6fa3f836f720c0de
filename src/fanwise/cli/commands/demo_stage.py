"""The stage that `fanwise demo` gives a demo."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from fanwise.cli.commands.run import report
from fanwise.cli.live.run import execute
from fanwise.cli.text.output import prints_aside, say
from fanwise.cli.text.summary import command
from fanwise.model import Run
from fanwise.ports import Observer, Records
from fanwise.values import Json
from fanwise.wiring import Settings, load_plan, open_records


class Stage(msgspec.Struct, frozen=True):
    """Implements `DemoStage`. `store` is the one that the command line named, if it did."""

    settings: Settings
    store: str | None
    folder: Path
    size: int

    def say(self, text: str) -> None:
        """Print a line to standard error."""
        say(text)

    def run(
        self, workflow: Path, parameters: Mapping[str, Json], *, observer: Observer | None = None
    ) -> Run:
        """Run a workflow as `fanwise run` does."""
        with prints_aside():
            plan = load_plan(workflow, self.settings)
        done = execute(plan, parameters, self.settings, observer=observer)
        report(
            done, self.settings, store=self.store, json=False, has_output=False, is_resumable=False
        )
        return done

    def records(self) -> AbstractContextManager[Records]:
        """Open the records of the store."""
        return open_records(self.settings)

    def command(self, *words: str) -> str:
        """Return a command line on the store."""
        return command(*words, store=self.store)
