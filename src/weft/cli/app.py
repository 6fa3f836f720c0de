"""The commands of `weft`, each with examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from weft.cli.actions import actions
from weft.cli.bench import bench
from weft.cli.completion import completion
from weft.cli.demo import demo
from weft.cli.graph import graph
from weft.cli.items import items
from weft.cli.logs import logs
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

# The commands in the order in which they are listed.
_EXAMPLES: dict[Callable[..., Any], tuple[str, ...]] = {
    run: (
        "weft run flow.yaml -p region=eu -p count=3",
        "weft run flow.yaml --params eu.yaml --tag nightly --json",
        "weft run flow.yaml --dry-run --items 3",
    ),
    validate: ("weft validate flow.yaml", "weft validate flows/*.yaml --no-import --json"),
    graph: ("weft graph flow.yaml", "weft graph flow.yaml --format dot | dot -Tsvg > flow.svg"),
    schema: ("weft schema > weft.schema.json", "weft schema | python -m json.tool"),
    runs: (
        "weft runs --limit 5",
        "weft runs --status failed --workflow monitor --since 2h --tag nightly",
        "weft runs --since 2026-03-05 --json",
    ),
    show: (
        "weft show 20260305-090702-k3xq",
        "weft show 20260305 --timeline",
        "weft show 20260305 --timeline --within 'check_health[17]'",
    ),
    items: (
        "weft items 20260305-090702-k3xq check_health --status failed",
        "weft items 20260305 check_health --error Timeout --slower 2s --limit 20",
        "weft items 20260305 check_health 17 100-199 --csv > items.csv",
    ),
    logs: (
        "weft logs 20260305-090702-k3xq",
        "weft logs 20260305-090702-k3xq 'check_health[17]'",
    ),
    actions: ("weft actions --packs ./packs", "weft actions core.http"),
    demo: ("weft demo monitor", "weft demo monitor --servers 100 --store demo.db"),
    bench: ("weft bench --list", "weft bench context --rounds 3"),
    completion: (
        "weft completion bash >> ~/.bashrc",
        "weft completion fish > ~/.config/fish/completions/weft.fish",
    ),
}

for _command, _examples in _EXAMPLES.items():
    # What follows the character \b is shown line by line, as it stands.
    _lines = "\n".join(f"  {example}" for example in _examples)
    app.command(epilog=f"\b\nExamples:\n{_lines}")(_command)


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
