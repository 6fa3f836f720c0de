"""`fanwise validate`: finds everything that is wrong with workflows, and runs none of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_workflow_files
from fanwise.cli.errors import WRONG, error_lines, warning_lines
from fanwise.cli.text.output import as_json, print_results, prints_aside
from fanwise.errors import DefinitionError, Diagnostic, FanwiseError, Place
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.values import JsonObject
    from fanwise.wiring import Settings


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="The workflows.", autocompletion=complete_workflow_files
        ),
    ],
    packs: options.Packs = None,
    no_import: Annotated[
        bool, typer.Option("--no-import", help="Run no code of packs; actions aren't checked.")
    ] = False,
    json: options.JsonFlag = False,
) -> None:
    """Find everything that is wrong with workflows.

    Each problem is a line: file:line:column, code, message. Exit status: 0 all are good, also with
    warnings, 2 not.
    """
    from fanwise.wiring import read_settings

    settings = read_settings(packs=packs or ())
    reports = [_Report(file, settings, import_packs=not no_import) for file in files]
    if json:
        print_results([as_json([report.as_object() for report in reports])])
    else:
        words = [str(each) for each in (*files, *(packs or ()))]
        print_results(line for report in reports for line in report.lines(words))
    if not all(report.is_good for report in reports):
        raise typer.Exit(WRONG)


class _Report:
    """The verdict on one file."""

    def __init__(self, file: Path, settings: Settings, *, import_packs: bool) -> None:
        from fanwise.wiring import load_plan

        self._file = file
        self._error: FanwiseError | None = None
        self._warnings: tuple[Diagnostic, ...] = ()
        self._tasks = self._parameters = 0
        try:
            with prints_aside():
                plan = load_plan(file, settings, import_packs=import_packs)
        except FanwiseError as error:
            self._error = error
        else:
            self._warnings = plan.warnings
            self._tasks, self._parameters = len(plan.tasks), len(plan.parameters)

    @property
    def is_good(self) -> bool:
        return self._error is None

    def lines(self, words: Sequence[str]) -> list[str]:
        """The verdict in lines, which quote long ones of the arguments `words` in short."""
        if self._error is not None:
            return error_lines(self._error, words)
        from fanwise.cli.text.render import count

        counts = [count(self._tasks, "task"), count(self._parameters, "parameter")]
        if self._warnings:
            counts.append(count(len(self._warnings), "warning"))
        return [
            *warning_lines(self._warnings),
            f"{clean(str(self._file))}  ok: {', '.join(counts)}",
        ]

    def as_object(self) -> JsonObject:
        return {
            "file": _storable(str(self._file)),
            "ok": self.is_good,
            "tasks": self._tasks,
            "parameters": self._parameters,
            "problems": [_problem_object(problem) for problem in self._problems()],
            "warnings": [_problem_object(warning) for warning in self._warnings],
        }

    def _problems(self) -> tuple[Diagnostic, ...]:
        error = self._error
        if error is None:
            return ()
        if isinstance(error, DefinitionError):
            return error.problems
        nowhere = Place(str(self._file), 0, 0)
        return (Diagnostic(nowhere, error.code, error.message, error.hint),)


def _problem_object(problem: Diagnostic) -> JsonObject:
    """The object of a problem; without a place it has neither line nor column."""
    return {
        "file": _storable(problem.place.file),
        "line": problem.place.line or None,
        "column": problem.place.column or None,
        "code": problem.code,
        "message": _storable(problem.message),
        "hint": problem.hint,
    }


def _storable(text: str) -> str:
    """Text that JSON can hold. A file's name is bytes, which Python may not be able to decode."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
