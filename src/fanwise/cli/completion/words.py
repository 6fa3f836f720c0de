"""Words for a shell's tab key, from the store or a server, the packs, files and fanwise itself.

Nothing here raises or prints: without these there is nothing to complete. Slow modules are
imported when they are used, so commands start as quickly as without.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from fanwise.cli.backends import Backend
    from fanwise.definition import ParameterDefinition
    from fanwise.model import RunRecord
    from fanwise.ports import Records

_MOST_FILES = 1_000
"""Files of a folder that are looked at."""

_LOOKED_AT_BYTES = 65_536
_has_tasks = re.compile(rb"""\btasks["']?\s*:""")


def complete_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The ids of runs, the newest first."""
    return _standing(ctx, incomplete)


def complete_ended_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The ids of runs that are over or paused, the newest first."""
    return _standing(ctx, incomplete, "succeeded", "failed", "cancelled", "paused")


def complete_resumable_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The ids of paused and interrupted runs, the newest first."""
    return _standing(ctx, incomplete, "paused", "interrupted")


def complete_driven_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The ids of runs that a process drives, the newest first."""
    return _standing(ctx, incomplete, "running")


def complete_open_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The ids of runs that can be cancelled, the newest first."""
    return _standing(ctx, incomplete, "running", "paused", "interrupted")


def complete_retryable_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The ids of runs that are over, the newest first: one that succeeded may have failed items."""
    return _standing(ctx, incomplete, "failed", "cancelled", "succeeded")


def complete_workflows(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of workflows that have run."""
    from fanwise.reports.questions import run_words

    return _asked(ctx, incomplete, lambda backend: backend.ask(run_words).workflows)


def complete_workflow_files(incomplete: str) -> list[str]:
    """The files of a folder that look like workflows, and its folders."""
    folder = os.path.dirname(incomplete)  # noqa: PTH120 - a path would lose ./
    try:
        entries = sorted(islice(Path(folder or ".").iterdir(), _MOST_FILES))
        shown = [(os.path.join(folder, entry.name), entry) for entry in entries]  # noqa: PTH118
        found = [
            f"{text}/" if entry.is_dir() else text
            for text, entry in shown
            if text.startswith(incomplete)
            and not entry.name.startswith(".")
            and (entry.is_dir() or _looks_like_workflow(entry))
        ]
    except (OSError, ValueError):
        return []
    return _begun(found, incomplete)


def _looks_like_workflow(file: Path) -> bool:
    if file.suffix not in (".yaml", ".yml", ".json") or not file.is_file():
        return False
    with file.open("rb") as stream:
        return _has_tasks.search(stream.read(_LOOKED_AT_BYTES)) is not None


def complete_parameters(ctx: typer.Context, incomplete: str) -> list[str]:
    """The parameters of the workflow that the command line names, without those given."""
    file = ctx.params.get("file") or next(iter(ctx.args), None)
    return [] if file is None else _settings(ctx, _declared(file), incomplete)


def complete_corrections(ctx: typer.Context, incomplete: str) -> list[str]:
    """The parameters of the run, or of the repaired file, that the command line names."""
    from fanwise.reports.lookup import find_run

    if file := ctx.params.get("file"):
        return _settings(ctx, _declared(file), incomplete)
    run_id = ctx.params.get("run_id") or next(iter(ctx.args), "")
    return _recorded(
        ctx,
        incomplete,
        lambda records: _settings(ctx, _written(find_run(records, run_id)), incomplete),
    )


def _declared(file: str | Path) -> Mapping[str, ParameterDefinition]:
    from fanwise.errors import FanwiseError
    from fanwise.wiring import load_plan, read_settings

    try:
        return load_plan(Path(file), read_settings(), import_packs=False).parameters
    except FanwiseError:
        return {}


def _written(record: RunRecord) -> Mapping[str, ParameterDefinition]:
    from fanwise.definition import load

    return load(record.definition, file=record.file).parameters


def _settings(
    ctx: typer.Context, parameters: Mapping[str, ParameterDefinition], incomplete: str
) -> list[str]:
    """`NAME=` for each parameter that isn't given, or `NAME=VALUE` where a name is complete."""
    from fanwise.plan import offered

    name, has_name, _ = incomplete.partition("=")
    if has_name and name in parameters:
        return _begun((f"{name}={value}" for value in offered(parameters[name])), incomplete)
    given = {setting.partition("=")[0] for setting in ctx.params.get("parameter") or ()}
    return _begun((f"{name}=" for name in parameters if name not in given), incomplete)


def complete_tags(ctx: typer.Context, incomplete: str) -> list[str]:
    """The tags that runs have."""
    from fanwise.reports.questions import run_words

    return _asked(ctx, incomplete, lambda backend: backend.ask(run_words).tags)


def complete_tasks(ctx: typer.Context, incomplete: str) -> list[str]:
    """The tasks of the run that the command line names."""
    return _tasks(ctx, incomplete, with_items=False)


def complete_fan_outs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The tasks with items of the run that the command line names."""
    return _tasks(ctx, incomplete, with_items=True)


def complete_actions(incomplete: str) -> list[str]:
    """The actions of installed packs and of the folders in `FANWISE_PACKS`."""
    from fanwise.cli.text.output import prints_aside
    from fanwise.errors import FanwiseError
    from fanwise.wiring import load_catalog, read_settings

    try:
        with prints_aside():
            return _begun(load_catalog(read_settings()).names(), incomplete)
    except FanwiseError:
        return []


def complete_benchmarks(incomplete: str) -> list[str]:
    """The benchmarks."""
    from fanwise.bench.suite import BENCHMARKS

    return _begun(BENCHMARKS, incomplete)


def _standing(ctx: typer.Context, incomplete: str, *statuses: str) -> list[str]:
    """The ids of runs, or of those that are shown with one of these statuses, the newest first."""
    from fanwise.reports.questions import run_ids

    given = ctx.params.get("run_ids") or ()
    found = _asked(ctx, incomplete, lambda backend: backend.ask(run_ids, statuses))
    return [run_id for run_id in found if run_id not in given]


def _tasks(ctx: typer.Context, incomplete: str, *, with_items: bool) -> list[str]:
    from fanwise.reports.questions import task_paths

    # Where an option's value is to be completed, arguments are left over as they stand.
    run_id = ctx.params.get("run_id") or next(iter(ctx.args), "")
    return _asked(
        ctx, incomplete, lambda backend: backend.ask(task_paths, run_id, with_items=with_items)
    )


def _asked(
    ctx: typer.Context, incomplete: str, find: Callable[[Backend], Iterable[str]]
) -> list[str]:
    """The words that the store or the server of the command line has."""
    from fanwise.cli.backends import open_backend
    from fanwise.errors import FanwiseError

    try:
        with open_backend(_place(ctx)) as backend:
            return _begun(find(backend), incomplete)
    except FanwiseError:
        return []


def _recorded(
    ctx: typer.Context, incomplete: str, find: Callable[[Records], Iterable[str]]
) -> list[str]:
    """The words that a store has; a server isn't asked for them."""
    from fanwise.errors import FanwiseError
    from fanwise.wiring import open_records, read_settings

    try:
        with open_records(read_settings(store=_place(ctx))) as records:
            return _begun(find(records), incomplete)
    except FanwiseError:
        return []


def _place(ctx: typer.Context) -> str | None:
    """The store or the server that a command line names: behind its command, or before it."""
    place: str | None = ctx.params.get("store") or ctx.find_root().params.get("server")
    return place


def _begun(words: Iterable[str], incomplete: str) -> list[str]:
    """The words that begin so, each once. One with a space would be two on a command line."""
    found = (word for word in words if word.startswith(incomplete) and word.isprintable())
    return [word for word in dict.fromkeys(found) if " " not in word]
