"""`fanwise graph`: draws the order of a workflow's tasks, and a run's state over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_runs, complete_workflow_files
from fanwise.cli.text.output import print_results
from fanwise.errors import UsageError

if TYPE_CHECKING:
    from fanwise.drawings.picture import Picture


class Format(StrEnum):
    """Formats of the drawing."""

    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"


_File = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The workflow.", autocompletion=complete_workflow_files),
]
_Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="Draw the workflow of this run instead, in SVG with the state of its tasks.",
        autocompletion=complete_runs,
    ),
]
_Format = Annotated[
    Format, typer.Option("--format", help="Mermaid, DOT for Graphviz, or SVG, a picture.")
]


def graph(
    file: _File = None,
    run: _Run = None,
    format: _Format = Format.MERMAID,
    store: options.Backend = None,
) -> None:
    """Draw the order of a workflow's tasks, as text or as a picture.

    An arrow without a label is taken when its task succeeded. None of the workflow's code is run.
    """
    if run is not None and file is None:
        print_results(_run_lines(run, format, store))
    elif file is not None and run is None:
        print_results(_file_lines(file, format))
    else:
        raise UsageError(
            "fanwise graph draws one workflow.", hint="Give either a FILE or --run RUN."
        )


def _file_lines(file: Path, format: Format) -> Iterable[str]:
    from fanwise.drawings.picture import draw
    from fanwise.wiring import load_plan

    plan = load_plan(file, import_packs=False)
    if format is not Format.SVG:
        return _texts(draw(plan), format)
    from fanwise.drawings.graph_svg import graph_svg
    from fanwise.drawings.svg import document

    return [document(graph_svg(draw(plan), title=plan.name))]


def _run_lines(run_id: str, format: Format, store: str | None) -> Iterable[str]:
    from fanwise.cli.backends import open_backend
    from fanwise.drawings.of_runs import run_graph
    from fanwise.drawings.picture import draw
    from fanwise.drawings.svg import document
    from fanwise.reports.questions import shown_steps
    from fanwise.wiring import load_recorded, read_settings

    with open_backend(store) as backend:
        seen = backend.ask(shown_steps, run_id).seen
    plan = load_recorded(seen.record, read_settings(), import_packs=False)
    if format is not Format.SVG:
        return _texts(draw(plan), format)
    return [document(run_graph(seen, plan))]


def _texts(picture: Picture, format: Format) -> Iterator[str]:
    from fanwise.cli.text.dot import dot_lines
    from fanwise.cli.text.mermaid import mermaid_lines

    return dot_lines(picture) if format is Format.DOT else mermaid_lines(picture)
