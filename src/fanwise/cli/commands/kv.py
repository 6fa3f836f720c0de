"""`fanwise kv`: keys and values of a store, which outlive its runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, has_colours, print_results, width_of
from fanwise.errors import UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.model import KvEntry
    from fanwise.values import Json

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The key.")]
_IfVersion = Annotated[
    int | None,
    typer.Option(
        "--if", metavar="VERSION", min=1, help="Only if the key has this version. Exit status 1."
    ),
]
_MASK = "***"
_MOST = 100_000


def set_key(
    name: _Name,
    value: Annotated[
        str | None,
        typer.Argument(metavar="VALUE", help="JSON, or else text; read from stdin if left out."),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Take the value as text, whatever it is.")
    ] = False,
    if_unset: Annotated[
        bool, typer.Option("--if-unset", help="Only if the key isn't set. Exit status 1.")
    ] = False,
    if_version: _IfVersion = None,
    ttl: Annotated[
        float | None,
        typer.Option(
            "--ttl",
            metavar="TIME",
            parser=options.reader_of("--ttl"),
            help="How long it lasts, such as 1h.",
        ),
    ] = None,
    secret: Annotated[
        bool, typer.Option("--secret", help="Mask it; the value comes from standard input.")
    ] = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Set the value of a key, which templates read as kv.NAME."""
    from fanwise import kv

    if if_unset and if_version is not None:
        raise UsageError("--if-unset and --if exclude each other.", hint="Give one of them.")
    if secret and value is not None:
        raise UsageError(
            "a secret in the command is seen by other users of this machine.",
            hint=f"Give it on standard input: fanwise kv set {clean(name)} --secret < FILE",
        )
    given = _read_stdin(name) if value is None else value
    version = kv.set(
        name,
        given if text or secret else _read_value(given),
        ttl_s=ttl,
        secret=secret,
        if_version=0 if if_unset else if_version,
        store=store,
    )
    said = f"{clean(name)} has version {version}."
    print_results([as_json({"name": name, "version": version}) if json else said])


def get_key(
    name: _Name,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the value of a secret.")] = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Print the value of a key: a text as it is, anything else as JSON."""
    from fanwise.reports.objects import key_object
    from fanwise.wiring import open_records, read_settings

    with open_records(read_settings(store=store)) as records:
        found = records.kv_entry(name)
    if found is None:
        raise _not_set(name)
    if json:
        print_results([as_json(key_object(found, reveal=reveal))])
        return
    print_results([_shown(found, reveal=reveal)])


def delete_key(
    name: _Name,
    if_version: _IfVersion = None,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Delete a key."""
    from fanwise import kv

    if not kv.delete(name, if_version=if_version, store=store):
        raise _not_set(name)
    print_results([as_json({"name": name}) if json else f"{clean(name)} is deleted."])


def list_keys(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="Only keys that begin so.")] = "",
    after: Annotated[
        str, typer.Option("--after", metavar="NAME", help="Only keys that follow this one.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=_MOST, help="At most so many.")
    ] = 100,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """List keys with their values, in the order of their names. Secrets are masked."""
    from fanwise.cli.backends import before_first_run
    from fanwise.reports.objects import key_object
    from fanwise.wiring import open_records, read_settings

    found: Sequence[KvEntry] = ()
    with before_first_run(store), open_records(read_settings(store=store)) as records:
        found = records.kv_entries(prefix=prefix, after=after, limit=limit)
    print_results(
        [as_json(key_object(each, reveal=False)) for each in found] if json else _lines(found)
    )


def _not_set(name: str) -> UsageError:
    return UsageError(
        f'the key "{clean(name)}" isn\'t set.', hint="`fanwise kv list` lists those that are."
    )


def _read_stdin(name: str) -> str:
    """The text on standard input, without the end of its last line."""
    import io

    try:
        data = sys.stdin.buffer.read() if isinstance(sys.stdin, io.TextIOWrapper) else b""
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(
            f'the value of the key "{clean(name)}" on standard input isn\'t UTF-8.',
            hint="Convert it, or give it as base64.",
        ) from None


def _read_value(text: str) -> Json:
    import msgspec

    try:
        value: Json = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text
    return value


def _shown(entry: KvEntry, *, reveal: bool) -> str:
    from fanwise.plan.keys import value_of

    if entry.is_secret and not reveal:
        return _MASK
    value = value_of(entry)
    return value if isinstance(value, str) else entry.value.decode()


def _lines(found: Sequence[KvEntry]) -> list[str]:
    from fanwise.cli.text.render import show_time, table

    if not found:
        return ["No keys."]
    rows = [
        (
            clean(each.name),
            f"{each.version:,}",
            show_time(each.set_at),
            clean(each.set_by),
            show_time(each.expires_at),
            clean(_MASK if each.is_secret else each.value.decode()),
        )
        for each in found
    ]
    headings = ["KEY", "VERSION>", "SET", "BY", "UNTIL", "VALUE"]
    return table(headings, rows, colours=has_colours(sys.stdout), width=width_of(sys.stdout))
