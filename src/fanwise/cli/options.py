"""The options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fanwise.cli.completion.words import complete_runs

Packs = Annotated[
    list[Path] | None,
    typer.Option("--packs", metavar="DIR", help="A folder of packs; may be given several times."),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="The store: a path, sqlite:///PATH or postgresql://HOST/DATABASE. "
        "Default: $FANWISE_STORE, else your own store.",
    ),
]


def _seconds(text: str) -> float:
    from fanwise.definition.literals import parse_duration
    from fanwise.errors import UsageError

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--grace {error}.", hint="For example: --grace 10s") from None


Grace = Annotated[
    float | None,
    typer.Option(
        "--grace",
        metavar="TIME",
        parser=_seconds,
        help="How long a pause lets what is in flight finish. Default: 30s.",
    ),
]
SecretOptions = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        metavar="NAME=VALUE",
        help="A secret parameter, which isn't recorded; may be given several times.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Resume although a file that the run reads has changed.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
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
