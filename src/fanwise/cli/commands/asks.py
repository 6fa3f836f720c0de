"""`fanwise asks`, `answer`, `approve`, `reject` and `signal`: what runs wait for, and its ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_choices, complete_fields, complete_questions
from fanwise.cli.text.output import as_json, has_colours, print_results, say, width_of
from fanwise.reports.plain import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanwise.cli.backends import Control
    from fanwise.model import OpenWait
    from fanwise.values import Json
    from fanwise.wiring import Settings

_Path = Annotated[
    str,
    typer.Argument(
        metavar="TASK[INDEX]",
        help="The task or item that asks, as asks lists it.",
        autocompletion=complete_questions,
    ),
]
_Fields = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        metavar="NAME=VALUE",
        help="A field; may be given several times.",
        autocompletion=complete_fields,
    ),
]
_By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who says so; else the user's name.")
]
_Limit = Annotated[
    int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="At most so many.")
]


def asks(
    mine: Annotated[bool, typer.Option("--mine", help="Only questions that I may answer.")] = False,
    links: Annotated[
        bool,
        typer.Option("--links", help="Make links by which those who are asked may answer."),
    ] = False,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url",
            metavar="URL",
            help="Where `fanwise serve` is reached, for links; else $FANWISE_PUBLIC_URL.",
        ),
    ] = None,
    by: _By = None,
    limit: _Limit = 100,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """List the questions and signals that runs wait for."""
    from fanwise.cli.backends import before_first_run, open_backend
    from fanwise.reports.objects import wait_object
    from fanwise.reports.questions import open_waits
    from fanwise.reports.waits import is_question
    from fanwise.wiring import read_settings

    found: Sequence[OpenWait] = ()
    with before_first_run(store), open_backend(store) as backend:
        found = backend.ask(open_waits, limit, mine=mine, by=by)
    if links:
        settings = read_settings(store=store, public_url=public_url)
        questions = [each for each in found if is_question(each.wait)]
        _print_links(_links(settings, questions), json=json)
        return
    print_results([as_json(wait_object(each)) for each in found] if json else _lines(found))


def _links(settings: Settings, found: Sequence[OpenWait]) -> list[tuple[str, str, str, str]]:
    """Make links to questions: rows of run, path, person and link."""
    from fanwise.engine.links import new_links
    from fanwise.errors import UsageError
    from fanwise.wiring import new_token, open_existing

    url = settings.public_url
    if url is None:
        raise UsageError(
            "no link can be made without the URL of a server.",
            hint="Give --public-url, or set FANWISE_PUBLIC_URL, as in https://fanwise.example.com",
        )
    if not found:  # there may be no store yet
        return []
    rows = []
    with open_existing(settings) as opened:
        for each in found:
            wait = each.wait
            made = new_links(opened, wait.run_no, wait.place, wait.form, url, new_token)
            rows += [(each.run_id, wait.path, who, link) for who, link in made.items()]
    return rows


def _print_links(rows: Sequence[tuple[str, str, str, str]], *, json: bool) -> None:
    """Print new links to questions: the store has only hashes of them."""
    from fanwise.cli.text.render import table

    if json:
        names = ("run_id", "path", "who", "url")
        print_results([as_json(dict(zip(names, row, strict=True))) for row in rows])
    elif rows:
        headings = ["RUN", "TASK", "WHO", "LINK"]
        shown = [(run_id, path, clean(who), link) for run_id, path, who, link in rows]
        print_results(table(headings, shown, colours=has_colours(sys.stdout), width=None))
    else:
        print_results(["No run asks anything."])


def answer(
    run_id: options.OpenRunId,
    path: _Path,
    choice: Annotated[
        str | None,
        typer.Argument(
            metavar="CHOICE",
            help="One of the question's options.",
            autocompletion=complete_choices,
        ),
    ] = None,
    fields: _Fields = None,
    by: _By = None,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Answer a question of a run.

    The first answer counts; a later one is refused. One that comes before its question is kept.
    """
    _answer(run_id, path, choice, fields, by, store, json=json)


def approve(
    run_id: options.OpenRunId,
    path: _Path,
    fields: _Fields = None,
    by: _By = None,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Answer a question with its option approve."""
    _answer(run_id, path, "approve", fields, by, store, json=json)


def reject(
    run_id: options.OpenRunId,
    path: _Path,
    fields: _Fields = None,
    by: _By = None,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Answer a question with its option reject."""
    _answer(run_id, path, "reject", fields, by, store, json=json)


def signal(
    run_id: options.OpenRunId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal's name.")],
    key: Annotated[
        str | None, typer.Option("--key", metavar="TEXT", help="The key that a wait may ask for.")
    ] = None,
    payload: Annotated[
        str | None, typer.Option("--payload", metavar="JSON", help="Data for the task that waits.")
    ] = None,
    by: _By = None,
    store: options.Backend = None,
    json: options.JsonFlag = False,
) -> None:
    """Send a signal to a run.

    It ends the first wait that it fits, or is kept for one to come.
    """
    from fanwise.cli.backends import open_control
    from fanwise.reports.questions import run_state

    data = _read_payload(payload)
    with open_control(store) as backend:
        run_id = backend.ask(run_state, run_id).run_id
        path = backend.signal(run_id, name, key, data, by)
        if json:
            print_results([as_json({"run_id": run_id, "signal": name, "path": path})])
            return
        if path is None:
            print_results([f"No task of run {run_id} waits for it yet; it is kept."])
            return
        print_results([f"Run {run_id} has got the signal at {path}."])
        _say_way_on(backend, run_id, store)


def _answer(
    run_id: str,
    path: str,
    choice: str | None,
    fields: Sequence[str] | None,
    by: str | None,
    store: str | None,
    *,
    json: bool,
) -> None:
    from fanwise.cli.backends import open_control
    from fanwise.cli.commands.parameters import read_texts
    from fanwise.reports.objects import iso_time
    from fanwise.reports.questions import run_state

    texts = read_texts(fields or ())
    with open_control(store) as backend:
        run_id = backend.ask(run_state, run_id).run_id
        done = backend.answer(run_id, path, choice, texts, by)
        if json:
            at = iso_time(done.at)
            shown = {"run_id": run_id, "path": done.path, "by": done.by, "at": at}
            print_results([as_json({**shown, **(done.given or {})})])
        elif done.given is None:
            print_results([f"Run {run_id} hasn't asked at {done.path} yet; the answer is kept."])
        else:
            print_results([f"Run {run_id} has its answer at {done.path}."])
            _say_way_on(backend, run_id, store)


def _read_payload(text: str | None) -> Json:
    import msgspec

    from fanwise.errors import UsageError

    if text is None:
        return None
    try:
        value: Json = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise UsageError(
            "the value of --payload is no JSON.", hint="""Write text in quotes: '"paid"'."""
        ) from None
    return value


def _say_way_on(backend: Control, run_id: str, store: str | None) -> None:
    """Name the command that drives the run, unless a process does."""
    from fanwise.cli.backends import is_server
    from fanwise.cli.text.summary import command
    from fanwise.reports.questions import run_state

    state = backend.ask(run_state, run_id)
    if state.recorded == "waiting":
        say(f"No process drives the run. To go on: {command('resume', run_id, store=store)}")
    elif state.is_queued and not is_server(store):
        work = command("work", store=store)
        say(f"The run is resumed by the next process that takes it, of: {work}")


def _lines(found: Sequence[OpenWait]) -> list[str]:
    from fanwise.cli.text.render import show_time, table
    from fanwise.reports.waits import options_of, what_for

    if not found:
        return ["No run waits for an answer or a signal."]
    rows = [
        (
            each.run_id,
            each.wait.path,
            show_time(each.wait.opened_at),
            show_time(each.wait.deadline),
            " ".join(options_of(each.wait)),
            clean(what_for(each.wait)),
        )
        for each in found
    ]
    headings = ["RUN", "TASK", "SINCE", "UNTIL", "OPTIONS", "FOR"]
    return table(headings, rows, colours=has_colours(sys.stdout), width=width_of(sys.stdout))
