"""The commands of `weft`, each with examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from weft.cli.actions import actions
from weft.cli.bench import bench
from weft.cli.completion import completion
from weft.cli.control import cancel, pause
from weft.cli.db import check, upgrade
from weft.cli.demo import demo
from weft.cli.export import export
from weft.cli.graph import graph
from weft.cli.items import items
from weft.cli.logs import logs
from weft.cli.new import new
from weft.cli.prune import prune
from weft.cli.recover import recover
from weft.cli.resume import resume
from weft.cli.retry import retry
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
    new: ("weft new my_project", "weft new ./flows/monitor"),
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
    resume: (
        "weft resume 20260305-090702-k3xq",
        "weft resume 20260305 -p token=$TOKEN",
        "weft resume 20260305 --force --grace 5s",
    ),
    retry: (
        "weft retry 20260305-090702-k3xq",
        "weft retry 20260305 --from check_health",
        "weft retry 20260305 --file repaired.yaml",
    ),
    pause: ("weft pause 20260305-090702-k3xq", "weft pause 20260305 --no-wait"),
    cancel: ("weft cancel 20260305-090702-k3xq", "weft cancel 20260305 --no-wait"),
    recover: ("weft recover", "weft recover --json"),
    export: (
        "weft export 20260305-090702-k3xq > run.jsonl",
        "weft export 20260305 | gzip > run.gz",
    ),
    prune: ("weft prune --older-than 30d --dry-run", "weft prune --keep 100 --status succeeded"),
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

db = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look after the store itself.")
db.command(epilog="\b\nExamples:\n  weft db check\n  weft db check --json")(check)
db.command(epilog="\b\nExamples:\n  weft db upgrade\n  weft db upgrade --no-copy")(upgrade)
app.add_typer(db, name="db")


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
