"""`fanwise emit`: an event, or one for each line of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.text.output import as_json, print_results
from fanwise.errors import UsageError
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from fanwise.values import Json


def emit(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The event's name.")],
    data: Annotated[
        str | None, typer.Option("--data", metavar="JSON", help="The data of the event.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="TEXT", help="The key that a wait may ask for.")
    ] = None,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="TEXT", help="Its id: one that is known changes nothing."),
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option(
            "--lines", metavar="FILE", help="Emit an event for each line, a JSON text; - is stdin."
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="The sender; else the user's name.")
    ] = None,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Emit an event, which starts runs and ends waits.

    Exit status: 0 it is recorded, or its id was known, 2 something is wrong.
    """
    from fanwise.cli.backends import emitter

    emit_all = emitter(store)
    if lines is not None:
        if data is not None or id is not None:
            raise UsageError("--lines gives the data of its events, and no event has an id then.")
        found = emit_all(name, _read_lines(lines), key=key, by=by)
        count = sum(1 for _ in found)
        report = as_json({"name": name, "count": count})
        print_results([report if json else f"{count:,} events {clean(name)} are recorded."])
        return
    value = None if data is None else _read_json(data, "the value of --data")
    (one,) = emit_all(name, [value], key=key, id=id, by=by)
    if json:
        print_results([as_json({"name": name, "id": one.id, "is_new": one.is_new})])
    else:
        print_results([one.id if one.is_new else f"Its id is known already: {one.id}"])


def _read_lines(file: Path) -> Iterator[Json]:
    """The values of a file's lines. Raises `UsageError`, with the line."""
    try:
        with sys.stdin if str(file) == "-" else file.open(encoding="utf-8") as opened:
            for number, line in enumerate(opened, 1):
                if line.strip():
                    yield _read_json(line, f"{file}:{number}")
    except (OSError, UnicodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise UsageError(
            f"{file}  can't be read: {cause}.", hint="Name a file with a JSON text on each line."
        ) from None


def _read_json(text: str, what: str) -> Json:
    import msgspec

    try:
        value: Json = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise UsageError(
            f"{what} is no JSON.", hint="""Write text in quotes: '"paid"'."""
        ) from None
    return value
