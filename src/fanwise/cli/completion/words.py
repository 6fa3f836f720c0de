"""Words for a shell's tab key, from the store or a server, the packs, files and fanwise itself.

Nothing here raises or prints: without these there is nothing to complete. Slow modules are
imported when they are used, so commands start as quickly as without.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import typer

if TYPE_CHECKING:
    from fanwise.cli.backends import Backend
    from fanwise.definition import ParameterDefinition
    from fanwise.plan.questions import Question

_T = TypeVar("_T")
_Settings: TypeAlias = "Mapping[str, Sequence[str]]"
"""Names of parameters or fields, with the values that they take if these are few."""

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


def complete_submitted(ctx: typer.Context, incomplete: str) -> list[str]:
    """The files of workflows, or the names of those that a server has."""
    from fanwise.cli.backends import is_server

    if not is_server(_place(ctx)):
        return complete_workflow_files(incomplete)
    return _begun(_served_workflows(ctx), incomplete)


def complete_parameters(ctx: typer.Context, incomplete: str) -> list[str]:
    """The parameters of the workflow that the command line names, without those given."""
    from fanwise.cli.backends import is_server

    file = ctx.params.get("file") or next(iter(ctx.args), None)
    if file is None:
        return []
    if is_server(_place(ctx)):
        return _settings(ctx, _served_workflows(ctx).get(str(file), {}), incomplete)
    return _settings(ctx, _offered(_declared(file)), incomplete)


def complete_corrections(ctx: typer.Context, incomplete: str) -> list[str]:
    """The parameters of the run, or of the repaired file, that the command line names."""
    if file := ctx.params.get("file"):
        return _settings(ctx, _offered(_declared(file)), incomplete)
    return _settings(ctx, _offered(_written(ctx)), incomplete)


def complete_secrets(ctx: typer.Context, incomplete: str) -> list[str]:
    """The secret parameters of the run that the command line names."""
    secret = {name: () for name, each in _written(ctx).items() if each.secret}
    return _settings(ctx, secret, incomplete)


def complete_questions(ctx: typer.Context, incomplete: str) -> list[str]:
    """The tasks and items of the run that ask something."""
    return _begun(_questions(ctx), incomplete)


def complete_choices(ctx: typer.Context, incomplete: str) -> list[str]:
    """The options of the question that the command line names."""
    question = _questions(ctx).get(_argument(ctx, "path", 1))
    return [] if question is None else _begun(question.options, incomplete)


def complete_fields(ctx: typer.Context, incomplete: str) -> list[str]:
    """The fields of the question that the command line names."""
    from fanwise.plan.questions import declared_fields

    question = _questions(ctx).get(_argument(ctx, "path", 1))
    if question is None:
        return []
    return _settings(ctx, _offered(declared_fields(question.fields)), incomplete)


def complete_triggers(ctx: typer.Context, incomplete: str) -> list[str]:
    """The triggers of the project, those of several workflows with their workflow."""
    from fanwise.cli.desks import open_desk
    from fanwise.errors import FanwiseError

    try:
        known = list(open_desk(_place(ctx)).places)
    except FanwiseError:
        return []
    names = [name for _, name in known]
    alone = [name for name in names if names.count(name) == 1]
    return _begun([*alone, *("/".join(each) for each in known)], incomplete)


def _declared(file: str | Path) -> Mapping[str, ParameterDefinition]:
    from fanwise.errors import FanwiseError
    from fanwise.wiring import load_plan, read_settings

    try:
        return load_plan(Path(file), read_settings(), import_packs=False).parameters
    except FanwiseError:
        return {}


def _written(ctx: typer.Context) -> Mapping[str, ParameterDefinition]:
    """The parameters of the run that the command line names; a server isn't asked for them."""
    from fanwise.cli.backends import is_server
    from fanwise.definition import load
    from fanwise.errors import FanwiseError
    from fanwise.reports.lookup import find_run
    from fanwise.wiring import open_records, read_settings

    if is_server(place := _place(ctx)):
        return {}
    try:
        with open_records(read_settings(store=place)) as records:
            record = find_run(records, _argument(ctx, "run_id", 0))
            return load(record.definition, file=record.file).parameters
    except FanwiseError:
        return {}


def _served_workflows(ctx: typer.Context) -> Mapping[str, _Settings]:
    """The workflows of the project that a server serves, with their parameters."""
    from fanwise.cli.backends import open_server
    from fanwise.errors import FanwiseError

    place = _place(ctx)
    assert place is not None
    try:
        return open_server(place).workflows()
    except FanwiseError:
        return {}


def _questions(ctx: typer.Context) -> Mapping[str, Question]:
    """The open questions of the run that the command line names, by their paths."""
    from fanwise.plan.questions import read_question
    from fanwise.reports.questions import MOST_WAITS, open_waits
    from fanwise.reports.waits import is_question

    run_id = _argument(ctx, "run_id", 0)
    found = _answered(ctx, lambda backend: backend.ask(open_waits, MOST_WAITS))
    return {
        each.wait.path: read_question(each.wait.form)
        for each in found or ()
        if is_question(each.wait) and each.run_id.startswith(run_id)
    }


def _offered(parameters: Mapping[str, ParameterDefinition]) -> _Settings:
    from fanwise.plan import offered

    return {name: offered(each) for name, each in parameters.items()}


def _settings(ctx: typer.Context, values: _Settings, incomplete: str) -> list[str]:
    """`NAME=` for each that isn't given, or `NAME=VALUE` where a name is complete."""
    name, has_name, _ = incomplete.partition("=")
    if has_name and name in values:
        return _begun((f"{name}={value}" for value in values[name]), incomplete)
    options = (ctx.params.get(each) for each in ("parameter", "secrets", "fields"))
    given = {text.partition("=")[0] for option in options for text in option or ()}
    return _begun((f"{name}=" for name in values if name not in given), incomplete)


def _argument(ctx: typer.Context, name: str, place: int) -> str:
    """The value of an argument, which is left over where an option's value is to be completed."""
    value = ctx.params.get(name) or next(iter(ctx.args[place:]), "")
    return str(value)


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

    run_id = _argument(ctx, "run_id", 0)
    return _asked(
        ctx, incomplete, lambda backend: backend.ask(task_paths, run_id, with_items=with_items)
    )


def _asked(
    ctx: typer.Context, incomplete: str, find: Callable[[Backend], Iterable[str]]
) -> list[str]:
    """The words that the store or the server of the command line has."""
    return _begun(_answered(ctx, find) or (), incomplete)


def _answered(ctx: typer.Context, find: Callable[[Backend], _T]) -> _T | None:
    """The answer of the store or the server of the command line, or None if there is none."""
    from fanwise.cli.backends import open_backend
    from fanwise.errors import FanwiseError

    try:
        with open_backend(_place(ctx)) as backend:
            return find(backend)
    except FanwiseError:
        return None


def _place(ctx: typer.Context) -> str | None:
    """The store or the server that a command line names: behind its command, or before it."""
    place: str | None = ctx.params.get("store") or ctx.find_root().params.get("server")
    return place


def _begun(words: Iterable[str], incomplete: str) -> list[str]:
    """The words that begin so, each once. One with a space would be two on a command line."""
    found = (word for word in words if word.startswith(incomplete) and word.isprintable())
    return [word for word in dict.fromkeys(found) if " " not in word]
