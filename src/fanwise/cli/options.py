"""The options and arguments that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from fanwise.cli.completion.words import (
    complete_driven_runs,
    complete_open_runs,
    complete_parameters,
    complete_resumable_runs,
    complete_retryable_runs,
    complete_runs,
    complete_secrets,
    complete_tags,
    complete_workflow_files,
)

WorkflowFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The workflow.", autocompletion=complete_workflow_files),
]
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
        "Default: $FANWISE_STORE, else that of fanwise.yaml, else your own.",
    ),
]

Backend = Annotated[
    str | None,
    typer.Option(
        "--store",
        "--server",
        metavar="URL",
        help="The store: a path, sqlite:///PATH or postgresql://HOST/DATABASE; or a server that "
        "has one: https://HOST. Default: $FANWISE_SERVER, else $FANWISE_STORE, else that of "
        "fanwise.yaml, else your own.",
    ),
]


def read_seconds(text: str) -> float:
    """Read a duration or a number of seconds. Raises `ValueError` as `parse_duration` does."""
    from fanwise.definition.literals import parse_duration

    is_number = text.isascii() and text.replace(".", "", 1).isdigit()
    return parse_duration(float(text) if is_number else text)


def reader_of(option: str) -> Callable[[str], float]:
    """The parser of an option that takes a duration."""

    def read(text: str) -> float:
        from fanwise.errors import UsageError

        try:
            return read_seconds(text)
        except ValueError as error:
            raise UsageError(f"{option} {error}.", hint=f"For example: {option} 10s") from None

    return read


Executor = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="Where actions run, of tasks that don't say it: local, process or ray. "
        "Default: $FANWISE_EXECUTOR, else process for cpu=True and local for all others.",
    ),
]
ProcessCount = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        max=9_999,
        metavar="N",
        help="How many processes actions may run in. Default: $FANWISE_PROCESSES, else one for "
        "each core.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="The Ray cluster of the executor ray. Default: $FANWISE_RAY, else $RAY_ADDRESS, else "
        "one on this machine.",
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        "--grace",
        metavar="TIME",
        parser=reader_of("--grace"),
        help="How long a pause lets what is in flight finish. Default: 30s.",
    ),
]
NoQueue = Annotated[
    bool,
    typer.Option(
        "--no-queue",
        help="Fail at once if the run would overlap more runs than the workflow's concurrency "
        "allows at a time, instead of waiting.",
    ),
]
Wait = Annotated[
    float | None,
    typer.Option(
        "--wait",
        metavar="TIME",
        parser=reader_of("--wait"),
        help="How long to wait while as many runs as may run at a time overlap. Default: no bound.",
    ),
]


def wait_s(*, no_queue: bool, wait: float | None) -> float | None:
    """Return the seconds for which a run waits for its slot; None is no bound."""
    return 0.0 if no_queue else wait


SecretOptions = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        metavar="NAME=VALUE",
        help="A secret parameter, which isn't recorded; may be given several times.",
        autocompletion=complete_secrets,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Resume although a file that the run reads has changed.")
]
Parameter = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        metavar="NAME=VALUE",
        help="A parameter; may be given several times.",
        autocompletion=complete_parameters,
    ),
]
Params = Annotated[
    Path | None,
    typer.Option("--params", metavar="FILE", help="A map of parameters in YAML or JSON."),
]
NewId = Annotated[
    str | None, typer.Option("--run-id", metavar="ID", help="The run's id; else one is made.")
]
Tag = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        metavar="TAG",
        help="A word to find the run by; may be given several times.",
        autocompletion=complete_tags,
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Show what actions print as well, line by line.")
]


def _run_id(complete: Callable[[typer.Context, str], list[str]]) -> typer.models.ArgumentInfo:
    """The argument that names a run, of which `complete` offers those that fit the command."""
    argument: typer.models.ArgumentInfo = typer.Argument(
        metavar="RUN", help="A run's id, or how one begins.", autocompletion=complete
    )
    return argument


RunId = Annotated[str, _run_id(complete_runs)]
ResumableRunId = Annotated[str, _run_id(complete_resumable_runs)]
RetryableRunId = Annotated[str, _run_id(complete_retryable_runs)]
DrivenRunId = Annotated[str, _run_id(complete_driven_runs)]
OpenRunId = Annotated[str, _run_id(complete_open_runs)]
Within = Annotated[
    str | None,
    typer.Option(
        "--within",
        metavar="PATH",
        help="Show the steps of the child workflow at a path, such as check[17].",
    ),
]
