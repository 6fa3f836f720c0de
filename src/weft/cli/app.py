"""The commands of `weft`, each with an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from weft.cli.actions import actions
from weft.cli.bench import bench
from weft.cli.demo import demo
from weft.cli.graph import graph
from weft.cli.items import items
from weft.cli.logs import logs
from weft.cli.new import new
from weft.cli.run import run
from weft.cli.runs import runs
from weft.cli.schema import schema
from weft.cli.show import show
from weft.cli.validate import validate

# Plain help: Rich's takes as long to import as everything else together.
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_EXAMPLES: dict[Callable[..., Any], str] = {
    new: "weft new my_project",
    run: "weft run flow.yaml -p region=eu -p count=3",
    validate: "weft validate flow.yaml",
    graph: "weft graph flow.yaml --format dot | dot -Tsvg > flow.svg",
    schema: "weft schema > weft.schema.json",
    show: "weft show 20260305-090702-k3xq",
    items: "weft items 20260305-090702-k3xq check_health --status failed",
    logs: "weft logs 20260305-090702-k3xq 'check_health[17]'",
    runs: "weft runs --limit 5",
    actions: "weft actions core.http",
    demo: "weft demo monitor",
    bench: "weft bench context",
}

for _command, _example in _EXAMPLES.items():
    app.command(epilog=f"Example: {_example}")(_command)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from weft import __version__

        typer.echo(f"weft {__version__}")
        raise typer.Exit


@app.callback()
def _weft(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Tell the version and exit."
        ),
    ] = False,
) -> None:
    """Run workflows that fan out over any number of items, and look at what came of them."""
