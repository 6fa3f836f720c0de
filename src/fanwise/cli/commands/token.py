"""`fanwise token`: the tokens by which people and programs use a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, has_colours, print_results, say
from fanwise.errors import UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.model import Token

_LISTED_TIME = 16


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what is to have it.")],
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="One of read, run and admin.")
    ] = "read",
    workflows: Annotated[
        list[str] | None,
        typer.Option(
            "--workflow",
            metavar="PATTERN",
            help="Workflows that it may see: report-*; may be given several times.",
        ),
    ] = None,
    expires_in: Annotated[
        str | None,
        typer.Option("--expires-in", metavar="TIME", help="How long it lasts, such as 90d."),
    ] = None,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Make a token, and print it this once.

    `read` sees runs with their outputs and logs; `run` starts, pauses, retries and answers as well;
    `admin` does everything. A store is made if there is none.
    """
    from fanwise.model import Role
    from fanwise.server.token_making import new_token_text
    from fanwise.wiring import open_or_make, read_settings

    if role not in list(Role):
        raise UsageError(f'there is no role "{clean(role)}".', hint="Give read, run or admin.")
    with open_or_make(read_settings(store=store)) as opened:
        text = new_token_text(
            opened, name, Role(role), workflows=workflows or (), expires_in=expires_in
        )
    if json:
        print_results([as_json({"id": text.token_id, "token": str(text)})])
        return
    print_results([str(text)])
    say(f"Keep it: it is shown this once. To end it: fanwise token revoke {text.token_id}")


def listed(store: options.StoreUrl = None, json: options.JsonFlag = False) -> None:
    """List all tokens, without their secrets.

    Those that were revoked, or have expired, are listed as well.
    """
    from fanwise.reports.objects import token_object
    from fanwise.wiring import open_records, read_settings

    with open_records(read_settings(store=store)) as records:
        found = records.tokens()
    if json:
        print_results([as_json(token_object(each)) for each in found])
        return
    print_results(_lines(found) or ["No tokens. Make one with: fanwise token add NAME"])


def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the token.")],
    store: options.StoreUrl = None,
) -> None:
    """Revoke a token: it can't be used any more, and its sessions end."""
    from fanwise.wiring import open_existing, read_settings

    with open_existing(read_settings(store=store)) as opened:
        if not opened.revoke_token(token_id):
            raise UsageError(
                f'there is no valid token with the id "{clean(token_id)}".',
                hint="List them with: fanwise token list",
            )
    say(f"Token {clean(token_id)} is revoked.")


def _lines(found: Sequence[Token]) -> list[str]:
    from fanwise.cli.text.render import table

    if not found:
        return []
    rows = [
        (
            token.id,
            clean(token.name),
            token.role.value,
            clean(" ".join(token.workflows)) or "all",
            _time(token.made_at),
            _time(token.used_at),
            _end(token),
        )
        for token in found
    ]
    headings = ["ID", "NAME", "ROLE", "WORKFLOWS", "MADE", "USED", "ENDS"]
    return table(headings, rows, colours=has_colours(sys.stdout))


def _time(at: float | None) -> str:
    from fanwise.reports.objects import iso_time

    return (iso_time(at) or "").replace("T", " ")[:_LISTED_TIME]


def _end(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {_time(token.revoked_at)}"
    return _time(token.expires_at)
