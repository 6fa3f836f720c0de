"""The options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weft.cli.complete import complete_runs

Packs = Annotated[
    list[Path] | None,
    typer.Option("--packs", metavar="DIR", help="A folder of packs; may be given several times."),
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="The store: sqlite:///PATH or a path. Default: $WEFT_STORE, else your own store.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's id, or how one begins.", autocompletion=complete_runs
    ),
]
Within = Annotated[
    str | None,
    typer.Option(
        "--within",
        metavar="PATH",
        help="Show the steps of the child workflow at a path, such as check[17].",
    ),
]
