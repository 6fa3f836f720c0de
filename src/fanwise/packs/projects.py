"""Projects: a folder's `fanwise.yaml`, its workflows and its `triggers.yaml`, read without code.

A file with problems leaves all others as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from fanwise.definition.problems import Problems
from fanwise.definition.project import PROJECT_FILE, ProjectDefinition, load_project
from fanwise.definition.project_triggers import TRIGGERS_FILE, ProjectTriggers
from fanwise.definition.yaml.composer import compose
from fanwise.errors import DefinitionError, Diagnostic, FanwiseError, Place, UsageError
from fanwise.model import Limits, NamedLimit
from fanwise.packs.dates import Dates
from fanwise.packs.workflows import Workflows, read_file
from fanwise.plan import Plan
from fanwise.plan.project_triggers import Owned, apart_triggers, own_triggers, project_problems

_ENDINGS = (".yaml", ".yml")
_tasks_line = re.compile(r"^\s*tasks\s*:", re.MULTILINE).search


class Project(msgspec.Struct, frozen=True):
    """The workflows and triggers of a folder, as far as they are right, and what is wrong.

    `date_files` are the files of dates that schedules name.
    """

    folder: Path
    plans: tuple[Plan, ...]
    triggers: tuple[Owned, ...]
    problems: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]
    limits: tuple[NamedLimit, ...] = ()
    date_files: frozenset[Path] = frozenset()


def find_folder(start: Path) -> Path:
    """The nearest folder from `start` upward that has a `fanwise.yaml`, else `start`."""
    return next(
        (each for each in (start, *start.parents) if (each / PROJECT_FILE).is_file()), start
    )


def load_project_triggers(start: Path, pack_folders: Sequence[Path], limits: Limits) -> Project:
    """The triggers of the project around `start`.

    Raises `DefinitionError` for a wrong `fanwise.yaml`, and `UsageError` for one that can't be
    read or names no file.
    """
    folder = find_folder(start)
    definition = _definition(folder, limits)
    plans: list[Plan] = []
    problems: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    date_files: set[Path] = set()
    dates = Dates(folder.absolute(), limits, date_files)
    for file in _workflow_files(folder, definition, limits):
        # Each by itself, since a file that is wrong also spoils what has named it.
        workflows = Workflows(
            pack_folders, limits, import_packs=False, named_limits=definition.limits
        )
        try:
            plan = workflows.load(file)
        except FanwiseError as error:
            problems += _problems_of(error, file)
        else:
            plans.append(plan)
            warnings += plan.warnings
        date_files |= workflows.date_files
    owned = own_triggers(plans)
    for file, read in _apart(folder, definition, limits):
        try:
            found = read()
        except FanwiseError as error:
            problems += _problems_of(error, file)
        else:
            apart, its_problems, its_warnings = apart_triggers(found, plans, limits, dates.read)
            owned += apart
            problems += its_problems
            warnings += its_warnings
    problems += project_problems(plans, owned)
    return Project(
        folder,
        tuple(plans),
        tuple(owned),
        tuple(problems),
        tuple(warnings),
        definition.limits,
        frozenset(date_files),
    )


def _apart(
    folder: Path, definition: ProjectDefinition, limits: Limits
) -> Iterator[tuple[Path, Callable[[], ProjectTriggers]]]:
    """The files that have triggers apart from workflows, and how to read these."""
    project, written, notify = folder / PROJECT_FILE, folder / TRIGGERS_FILE, definition.notify
    if notify is not None:
        yield project, lambda: ProjectTriggers.notices(notify, file=_shown(project))
    if written.is_file():
        yield (
            written,
            lambda: ProjectTriggers.load(
                read_file(written, limits), file=_shown(written), limits=limits
            ),
        )


def project_stamp(start: Path, date_files: Iterable[Path] = ()) -> Hashable:
    """A value that is another one once a file of the project around `start` may have changed.

    Files of folders within the project count by what `workflows` named at the moment.
    """
    folder = find_folder(start)
    files = {folder / PROJECT_FILE, folder / TRIGGERS_FILE, *date_files}
    for pattern in _patterns(folder):
        files.update(folder.glob(pattern))
    return tuple((str(file), _file_stamp(file)) for file in sorted(files))


def _patterns(folder: Path) -> Sequence[str]:
    own = [f"*{ending}" for ending in _ENDINGS]
    try:
        return _definition(folder, Limits()).workflows or own
    except FanwiseError:  # a problem of the project, which is told when it is read
        return own


def _file_stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _definition(folder: Path, limits: Limits) -> ProjectDefinition:
    file = folder / PROJECT_FILE
    if not file.is_file():
        return ProjectDefinition()
    return load_project(read_file(file, limits), file=_shown(file), limits=limits)


def _workflow_files(folder: Path, definition: ProjectDefinition, limits: Limits) -> list[Path]:
    """The files that `workflows` names; without it the folder's own that look like workflows."""
    file = folder / PROJECT_FILE
    if not definition.workflows:
        return [Path(_shown(each)) for each in _own_files(folder, limits)]
    found: dict[Path, None] = {}
    for pattern in definition.workflows:
        files = [each for each in sorted(folder.glob(pattern)) if _may_be_workflow(each)]
        if not files:
            raise UsageError(
                f'{_shown(file)}  "workflows" has {pattern}, and no file is named so.',
                hint="Write paths from this file on, such as flows/*.yaml.",
            )
        found.update(dict.fromkeys(files))
    return [Path(_shown(each)) for each in found]


def _own_files(folder: Path, limits: Limits) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.suffix in _ENDINGS and _may_be_workflow(file) and _has_tasks(file, limits):
            yield file


def _may_be_workflow(file: Path) -> bool:
    return file.is_file() and file.name not in (PROJECT_FILE, TRIGGERS_FILE)


def _has_tasks(file: Path, limits: Limits) -> bool:
    """True for a file that means to be a workflow, so that others may lie beside it.

    One that can't be read as YAML counts if it has the key in a line, for its author to be told.
    """
    text = read_file(file, limits).decode(errors="replace")
    try:
        document = compose(text, Problems(str(file)))
    except DefinitionError:
        document = None
    if document is None:
        return _tasks_line(text) is not None
    keys = document.value if isinstance(document.value, dict) else {}
    return "tasks" in keys or list(keys) == ["workflow"]


def _problems_of(error: FanwiseError, file: Path) -> Sequence[Diagnostic]:
    if isinstance(error, DefinitionError):
        return error.problems
    return [Diagnostic(Place(str(file), 1, 1), error.code, error.message, error.hint)]


def _shown(file: Path) -> str:
    """The path as messages tell it: from the current folder on, if it lies there."""
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)
