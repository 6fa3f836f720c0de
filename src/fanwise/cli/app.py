"""The commands of `fanwise`, each with examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from fanwise.cli.backends import require_server
from fanwise.cli.commands.actions import actions
from fanwise.cli.commands.asks import answer, approve, asks, reject, signal
from fanwise.cli.commands.bench import bench
from fanwise.cli.commands.control import cancel, pause
from fanwise.cli.commands.db import check, upgrade
from fanwise.cli.commands.demo import demo
from fanwise.cli.commands.emit import emit
from fanwise.cli.commands.engines import engines
from fanwise.cli.commands.export import export
from fanwise.cli.commands.fires import fires, pause_trigger, resume_trigger
from fanwise.cli.commands.firing import backfill, trigger
from fanwise.cli.commands.graph import graph
from fanwise.cli.commands.items import items
from fanwise.cli.commands.kv import delete_key, get_key, list_keys, set_key
from fanwise.cli.commands.limits import limits
from fanwise.cli.commands.logs import logs
from fanwise.cli.commands.new import new
from fanwise.cli.commands.prune import prune
from fanwise.cli.commands.recover import recover
from fanwise.cli.commands.resume import resume
from fanwise.cli.commands.retry import retry
from fanwise.cli.commands.run import run
from fanwise.cli.commands.runs import runs
from fanwise.cli.commands.schema import schema
from fanwise.cli.commands.serve import serve
from fanwise.cli.commands.show import show
from fanwise.cli.commands.submit import submit
from fanwise.cli.commands.token import add, listed, revoke
from fanwise.cli.commands.triggers import following, triggers
from fanwise.cli.commands.validate import validate
from fanwise.cli.commands.work import work
from fanwise.cli.completion.scripts import completion
from fanwise.cli.errors import SERVER

# Plain help: Rich's takes as long to import as everything else together.
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# The commands in the order in which they are listed.
_EXAMPLES: dict[Callable[..., None], tuple[str, ...]] = {
    new: ("fanwise new my_project", "fanwise new ."),
    run: (
        "fanwise run flow.yaml -p region=eu -p count=3",
        "fanwise run flow.yaml --params eu.yaml --tag nightly --json",
        "fanwise run flow.yaml --dry-run --items 3",
        "fanwise run nightly.yaml --no-queue",
    ),
    validate: ("fanwise validate flow.yaml", "fanwise validate flows/*.yaml --no-import --json"),
    graph: (
        "fanwise graph flow.yaml",
        "fanwise graph flow.yaml --format dot | dot -Tsvg > flow.svg",
    ),
    schema: ("fanwise schema > fanwise.schema.json", "fanwise schema | python -m json.tool"),
    runs: (
        "fanwise runs --limit 5",
        "fanwise runs --status failed --workflow monitor --since 2h --tag nightly",
        "fanwise runs --since 2026-03-05 --json",
    ),
    show: (
        "fanwise show 20260305-090702-k3xq",
        "fanwise show 20260305 --timeline",
        "fanwise show 20260305 --timeline --within 'check_health[17]'",
    ),
    items: (
        "fanwise items 20260305-090702-k3xq check_health --status failed",
        "fanwise items 20260305 check_health --error Timeout --slower 2s --limit 20",
        "fanwise items 20260305 check_health 17 100-199 --csv > items.csv",
    ),
    logs: (
        "fanwise logs 20260305-090702-k3xq",
        "fanwise logs 20260305-090702-k3xq 'check_health[17]'",
    ),
    resume: (
        "fanwise resume 20260305-090702-k3xq",
        "fanwise resume 20260305 -p token=$TOKEN",
        "fanwise resume 20260305 --force --grace 5s",
    ),
    retry: (
        "fanwise retry 20260305-090702-k3xq",
        "fanwise retry 20260305 --from check_health",
        "fanwise retry 20260305 --file repaired.yaml",
    ),
    pause: ("fanwise pause 20260305-090702-k3xq", "fanwise pause 20260305 --no-wait"),
    cancel: ("fanwise cancel 20260305-090702-k3xq", "fanwise cancel 20260305 --no-wait"),
    asks: ("fanwise asks", "fanwise asks --mine --json"),
    answer: (
        "fanwise answer 20260305-090702-k3xq approve_it approve -p percent=20",
        "fanwise answer 20260305 'check[17]' later",
    ),
    approve: (
        "fanwise approve 20260305-090702-k3xq approve_it",
        "fanwise approve 20260305 approve_it -p percent=20 --by ada",
    ),
    reject: (
        "fanwise reject 20260305-090702-k3xq approve_it",
        "fanwise reject 20260305 approve_it -p reason='too early'",
    ),
    signal: (
        "fanwise signal 20260305-090702-k3xq payment.done --key order-7",
        """fanwise signal 20260305 payment.done --payload '{"amount": 12}'""",
    ),
    emit: (
        """fanwise emit report.wanted --data '{"day": "2026-03-05"}'""",
        "fanwise emit order.paid --key order-7 --id payment-4711",
        "fanwise emit entry.found --lines entries.jsonl",
    ),
    recover: ("fanwise recover", "fanwise recover --json"),
    submit: (
        "fanwise submit flow.yaml -p region=eu",
        "fanwise submit flow.yaml --queue nightly --priority 5",
        "fanwise submit flow.yaml --once import-2026-03-05",
    ),
    work: ("fanwise work --concurrency 4", "fanwise work --queue urgent --queue default"),
    serve: ("fanwise serve", "fanwise serve --workers 4", "fanwise serve --no-work"),
    trigger: (
        "fanwise trigger nightly",
        "fanwise trigger nightly --at 2026-03-05T02:00 --dry-run",
        "fanwise trigger report/pushed --event event.json",
    ),
    backfill: (
        "fanwise backfill nightly --from 2026-03-01 --to 2026-03-05",
        "fanwise backfill nightly --from 2026-03-01 --to 2026-03-05 --dry-run",
    ),
    engines: ("fanwise engines", "fanwise engines --json"),
    limits: ("fanwise limits", "fanwise limits --json"),
    export: (
        "fanwise export 20260305-090702-k3xq > run.jsonl",
        "fanwise export 20260305 | gzip > run.gz",
    ),
    prune: (
        "fanwise prune --older-than 30d --dry-run",
        "fanwise prune --keep 100 --status succeeded",
        "fanwise prune 20260305-090702-k3xq",
    ),
    actions: ("fanwise actions --packs ./packs", "fanwise actions core.http"),
    demo: ("fanwise demo monitor", "fanwise demo monitor --servers 100 --store demo.db"),
    bench: ("fanwise bench --list", "fanwise bench context --rounds 3"),
    completion: (
        "fanwise completion bash >> ~/.bashrc",
        "fanwise completion fish > ~/.config/fish/completions/fanwise.fish",
    ),
}

for _command, _examples in _EXAMPLES.items():
    # What follows the character \b is shown line by line, as it stands.
    _lines = "\n".join(f"  {example}" for example in _examples)
    app.command(epilog=f"\b\nExamples:\n{_lines}")(_command)

db = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look after the store itself.")
db.command(epilog="\b\nExamples:\n  fanwise db check\n  fanwise db check --json")(check)
db.command(epilog="\b\nExamples:\n  fanwise db upgrade\n  fanwise db upgrade --no-copy")(upgrade)
app.add_typer(db, name="db")

kv = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Keys and values, which outlive runs."
)
kv.command(
    "set",
    epilog="\b\nExamples:\n  fanwise kv set cursor 17\n"
    "  fanwise kv set lock mine --if-unset --ttl 10m\n"
    "  fanwise kv set token --secret < token.txt",
)(set_key)
kv.command("get", epilog="\b\nExamples:\n  fanwise kv get cursor\n  fanwise kv get cursor --json")(
    get_key
)
kv.command(
    "delete",
    epilog="\b\nExamples:\n  fanwise kv delete cursor\n  fanwise kv delete cursor --if 3",
)(delete_key)
kv.command("list", epilog="\b\nExamples:\n  fanwise kv list\n  fanwise kv list import/ --json")(
    list_keys
)
app.add_typer(kv, name="kv")

_triggers = typer.Typer(rich_markup_mode=None)
_triggers.callback(
    invoke_without_command=True,
    epilog="\b\nExamples:\n  fanwise triggers\n  fanwise triggers --check",
)(triggers)
_triggers.command(
    "next",
    epilog="\b\nExamples:\n  fanwise triggers next flow.yaml\n"
    "  fanwise triggers next flow.yaml --from 2026-03-28 --count 10 --json",
)(following)
_triggers.command(
    "fires",
    epilog="\b\nExamples:\n  fanwise triggers fires nightly\n"
    "  fanwise triggers fires report/nightly --status skipped --json",
)(fires)
_triggers.command(
    "pause",
    epilog="\b\nExamples:\n  fanwise triggers pause nightly\n"
    '  fanwise triggers pause report/nightly --note "until the move is done"',
)(pause_trigger)
_triggers.command(
    "resume",
    epilog="\b\nExamples:\n  fanwise triggers resume nightly\n"
    "  fanwise triggers resume nightly --catch-up",
)(resume_trigger)
app.add_typer(_triggers, name="triggers")

_token = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Make, list and revoke tokens of a server."
)
_token.command(
    "add",
    epilog="\b\nExamples:\n  fanwise token add ada --role run\n"
    "  fanwise token add reports --workflow 'report-*' --expires-in 90d",
)(add)
_token.command("list", epilog="\b\nExamples:\n  fanwise token list\n  fanwise token list --json")(
    listed
)
_token.command(
    "revoke",
    epilog="\b\nExamples:\n  fanwise token revoke k3xq7m2p\n  fanwise token revoke sign-in-link",
)(revoke)
app.add_typer(_token, name="token")


def _tell_version(wanted: bool) -> None:
    if wanted:
        from fanwise import __version__

        typer.echo(f"fanwise {__version__}")
        raise typer.Exit


def _stores(group: typer.core.TyperGroup, url: str) -> dict[str, object]:
    """The defaults of all commands of a group, which take a URL for that of their store."""
    return {
        name: {"store": url}
        | (_stores(each, url) if isinstance(each, typer.core.TyperGroup) else {})
        for name, each in group.commands.items()
    }


@app.callback()
def _fanwise(
    context: typer.Context,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="URL",
            envvar=SERVER,
            show_envvar=False,
            help="Ask this server, in place of a store. Default: $FANWISE_SERVER.",
        ),
    ] = None,
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Tell the version and exit."
        ),
    ] = False,
) -> None:
    """Run workflows that fan out over any number of items, and look at what came of them."""
    if server is not None and isinstance(context.command, typer.core.TyperGroup):
        require_server(server)
        context.default_map = _stores(context.command, server)
