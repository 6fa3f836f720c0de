"""`fanwise graph`: draws the order of a workflow's tasks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import print_results


class Format(StrEnum):
    """Formats of the drawing."""

    MERMAID = "mermaid"
    DOT = "dot"


def graph(
    file: options.WorkflowFile,
    format: Annotated[
        Format, typer.Option("--format", help="Mermaid, or DOT for Graphviz.")
    ] = Format.MERMAID,
) -> None:
    """Draw the order of a workflow's tasks, for Mermaid or Graphviz.

    An arrow without a label is taken when its task succeeded. None of the workflow's code is run.
    """
    from fanwise.cli.text.dot import dot_lines
    from fanwise.cli.text.mermaid import mermaid_lines
    from fanwise.cli.text.picture import draw
    from fanwise.wiring import load_plan

    picture = draw(load_plan(file, import_packs=False))
    print_results(dot_lines(picture) if format is Format.DOT else mermaid_lines(picture))
