"""The stage that a demo is given, and the outcome that it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

import fanwise.demos
from fanwise.model import Run
from fanwise.ports import Observer, Records
from fanwise.values import Json


class Played(msgspec.Struct, frozen=True):
    """The outcome of a demo. Of a run that didn't succeed nothing is measured.

    `headline` says in a few words what was done, how often and how fast. `rows` are the
    measurements as labels and texts, `figures` the same for programs. `failed` says how the
    workflow's findings differ from the truth, if they do. `further` are labels and commands to look
    at more of the run.
    """

    run: Run
    headline: str = ""
    rows: Sequence[tuple[str, str]] = ()
    figures: object = None
    failed: str | None = None
    further: Sequence[tuple[str, str]] = ()


class DemoStage(Protocol):
    """The place where a demo is played."""

    @property
    def folder(self) -> Path:
        """An empty folder, which is removed when the demo is over."""

    @property
    def size(self) -> int:
        """The number of servers, lines or messages that the demo works on."""

    def say(self, text: str) -> None:
        """Print a line about the progress."""

    def run(
        self, workflow: Path, parameters: Mapping[str, Json], *, observer: Observer | None = None
    ) -> Run:
        """Run a workflow as `fanwise run` does, and print the summary. Raises the same errors.

        The demo's servers and files are gone when it is over, so a paused run can't be resumed.
        """

    def records(self) -> AbstractContextManager[Records]:
        """Open the records of the store that the demo runs in."""

    def command(self, *words: str) -> str:
        """Return a command line of fanwise on that store, to copy."""


def demo_folder(name: str) -> Path:
    """Return the folder with a demo's workflow and actions."""
    return Path(fanwise.demos.__file__).parent / name
