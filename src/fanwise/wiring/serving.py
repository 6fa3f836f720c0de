"""A project that is served: its clock, its triggers and its runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fanwise.engine.triggered import TriggeredRuns
    from fanwise.model import NamedLimit
    from fanwise.packs.projects import Project
    from fanwise.service.clock import TriggerClock
    from fanwise.service.projects import WatchedProject
    from fanwise.service.watcher import ServiceWatcher
    from fanwise.stores import Store

from fanwise.wiring.plans import load_triggers
from fanwise.wiring.settings import Settings


class Serving(NamedTuple):
    """A project that is served: its clock, its files, the store, and the maker of its runs."""

    clock: TriggerClock
    project: WatchedProject
    store: Store
    runs: TriggeredRuns


@contextmanager
def open_serving(settings: Settings, folder: Path, watcher: ServiceWatcher) -> Iterator[Serving]:
    """The project around a folder, to be served as a block.

    A store is made if there is none. Raises `StoreError`, and `DefinitionError` or `UsageError` for
    the project's `fanwise.yaml`.
    """
    from fanwise.packs.projects import find_folder, project_stamp
    from fanwise.service.clock import TriggerClock
    from fanwise.service.deciders import all_deciders
    from fanwise.service.folders import Folders
    from fanwise.service.projects import WatchedProject
    from fanwise.stores import open_store
    from fanwise.system import SystemClock, SystemProcesses

    runs = triggered_runs(settings, find_folder(folder))

    def load() -> Project:
        project = load_triggers(settings, folder)
        runs.limits = project.limits
        return project

    project = WatchedProject(load, lambda files: project_stamp(folder, files), watcher)
    project.read()
    with open_store(settings.store) as store:
        now = SystemClock()
        deciders = all_deciders(
            store,
            runs.make,
            SystemProcesses(),
            now,
            settings.limits,
            str(find_folder(folder).absolute()),
            Folders(now),
        )
        clock = TriggerClock(store, project, deciders, now, watcher)
        yield Serving(clock, project, store, runs)


def triggered_runs(
    settings: Settings, folder: Path, limits: Sequence[NamedLimit] = ()
) -> TriggeredRuns:
    """The maker of the runs of fires of the project in a folder, whose tasks may name `limits`."""
    from fanwise.engine.run_factory import RunFactory
    from fanwise.engine.triggered import TriggeredRuns
    from fanwise.system import EnvironmentSecrets, SystemChance, SystemClock

    secrets = EnvironmentSecrets(settings.environment)
    factory = RunFactory(SystemClock(), SystemChance(), secrets)
    most = settings.limits.queued
    return TriggeredRuns(factory, str(folder.absolute()), limits, most)
