"""A project that is read again when its files change; what is wrong keeps its last good state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from fanwise.errors import Diagnostic, FanwiseError
from fanwise.plan import Plan
from fanwise.plan.project_triggers import Owned
from fanwise.service.watcher import ServiceWatcher


class ReadProject(Protocol):
    """Workflows and triggers as far as the files are right, and what is wrong with these."""

    @property
    def plans(self) -> Sequence[Plan]:
        """The workflows of all files that are right."""

    @property
    def triggers(self) -> Sequence[Owned]:
        """The triggers of all files that are right."""

    @property
    def problems(self) -> Sequence[Diagnostic]:
        """The problems of the others."""

    @property
    def warnings(self) -> Sequence[Diagnostic]:
        """The warnings of the files that are right."""

    @property
    def date_files(self) -> Collection[Path]:
        """The files of dates that schedules name."""


class WatchedProject:
    """The workflows and triggers of a project. One thread at a time reads the files.

    `stamp` changes when a file does, also one of those that it is given, and `load` reads the
    files, without running any author's code.
    """

    def __init__(
        self,
        load: Callable[[], ReadProject],
        stamp: Callable[[Collection[Path]], Hashable],
        watcher: ServiceWatcher,
    ) -> None:
        self.plans: Sequence[Plan] = ()
        self.triggers: Sequence[Owned] = ()
        self.warnings: Sequence[Diagnostic] = ()
        self._load = load
        self._stamp = stamp
        self._watcher = watcher
        self._seen: Hashable = None
        self._date_files: Collection[Path] = ()
        self._told: set[str] = set()

    def refresh(self) -> None:
        """Read the files if one has changed, and tell what is wrong with them."""
        if self._stamp(self._date_files) == self._seen:
            return
        try:
            self.read()
        except FanwiseError as error:  # nothing can be said of the other files
            self._tell({str(error)})

    def read(self) -> None:
        """Read the files. Raises `FanwiseError` for a project that can't be read at all."""
        self._seen = self._stamp(self._date_files)
        project = self._load()
        self._date_files = project.date_files  # other ones are another stamp: they are read again
        broken = {problem.place.file for problem in project.problems}
        kept = [each for each in self.triggers if each.trigger.place.file in broken]
        self.triggers = list(_each_once([*project.triggers, *kept]))
        files = {plan.file for plan in project.plans}
        former = [plan for plan in self.plans if plan.file in broken - files]
        self.plans = [*project.plans, *former]
        self.warnings = project.warnings
        self._tell({str(problem) for problem in project.problems})

    @property
    def problems(self) -> Sequence[str]:
        """The problems of files, a line each."""
        return sorted(self._told)

    def _tell(self, problems: set[str]) -> None:
        """Tell each problem once for as long as it is there."""
        for text in sorted(problems - self._told):
            self._watcher.problem(text)
        if self._told and not problems:
            self._watcher.is_well()
        self._told = problems


def _each_once(triggers: Sequence[Owned]) -> Iterator[Owned]:
    """The first trigger of each name, and of these the ones that are on."""
    names: set[tuple[str, str]] = set()
    for each in triggers:
        name = (each.plan.name, each.trigger.name)
        if name not in names:
            names.add(name)
            if each.trigger.definition.enabled:
                yield each
