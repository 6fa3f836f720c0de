"""`fanwise demo`: runs the demos on real input, and shows their outcomes.

Each run is recorded in the store as any other is.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.leaving import CleaningUpAtSignals
from fanwise.cli.text.output import as_json, flush_results, print_results, say
from fanwise.demos import DEMOS
from fanwise.errors import UsageError

if TYPE_CHECKING:
    from fanwise.demos.stage import Played


_Name = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME",
        help="Run this one; else all of them.",
        autocompletion=lambda: list(DEMOS),
    ),
]
_Servers = Annotated[
    int | None,
    typer.Option(
        "--servers", min=1, max=100_000, metavar="N", help="For monitor: so many; else 1,000."
    ),
]
_Lines = Annotated[
    int | None,
    typer.Option(
        "--lines", min=100, max=100_000_000, metavar="N", help="For logs: so many; else 10,000."
    ),
]
_Messages = Annotated[
    int | None,
    typer.Option(
        "--messages", min=1, max=25_000, metavar="N", help="For notify: so many; else 5,000."
    ),
]
_CopyTo = Annotated[
    Path | None,
    typer.Option(
        "--copy", metavar="DIR", help="Put the demo there to change and run, and run nothing."
    ),
]


_Serve = Annotated[
    bool,
    typer.Option("--serve", help="Serve them as a project, by faster schedules, until Ctrl-C."),
]


def demo(
    name: _Name = None,
    servers: _Servers = None,
    lines: _Lines = None,
    messages: _Messages = None,
    copy: _CopyTo = None,
    serve: _Serve = False,
    store: options.StoreUrl = None,
    json: options.JsonFlag = False,
) -> None:
    """Run the demos on real input.

    `monitor` checks the health of a thousand servers over HTTP. `logs` reads the access log of such
    a server, entry by entry. `notify` sends five thousand e-mails. Each takes a few seconds, needs
    no network, and records its run in the store.
    """
    from fanwise.model import Status

    sizes = {"monitor": servers, "logs": lines, "notify": messages}
    names = _chosen(name, sizes)
    if copy is not None:
        _copy(name, copy, sizes)
        return
    if serve:
        _serve(names, store)
        return
    results = {}
    for each, size in names.items():
        results[each] = played = _play(each, size, store)
        if not json:
            print_results(_outcome_lines(each, played, store))
            flush_results()
        if played.run.status is Status.PAUSED:
            say(
                "\nThe demo's servers and files are gone, so this run can't be resumed. "
                f"For one that can be resumed make a copy: fanwise demo {each} --copy DIR"
            )
            break
    if json:
        print_results([as_json({each: _object(played) for each, played in results.items()})])
    elif len(results) > 1:
        print_results(_closing_lines(results))
    raise typer.Exit(max(map(_exit_status, results.values())))


def _chosen(name: str | None, sizes: Mapping[str, int | None]) -> dict[str, int]:
    """The demos to play with their sizes. Raises `UsageError`."""
    if name is None:
        return {each: sizes[each] or usual for each, usual in DEMOS.items()}
    if name not in DEMOS:
        raise UsageError(f'there is no demo "{name}".', hint=f"The demos: {', '.join(DEMOS)}.")
    for other, size in sizes.items():
        if other != name and size is not None:
            raise UsageError(f"a size of the demo {other} says nothing to the demo {name}.")
    return {name: sizes[name] or DEMOS[name]}


def _copy(name: str | None, folder: Path, sizes: Mapping[str, int | None]) -> None:
    from fanwise.demos.copying import copy_demo

    if name is None:
        raise UsageError("--copy takes one demo.", hint=f"Name one of {', '.join(DEMOS)}.")
    if any(sizes.values()):
        raise UsageError("--copy runs nothing, so no size can be given.", hint="Leave it out.")
    files = copy_demo(name, folder)
    print_results([f"{folder} has {', '.join(files)}. Begin with the first."])


def _serve(sizes: Mapping[str, int], store: str | None) -> None:
    """Serve demos in a folder of their own, by their own schedules, only faster."""
    from tempfile import TemporaryDirectory

    from fanwise.cli.commands.serve import Http, serve_folder
    from fanwise.cli.text.summary import command
    from fanwise.demos.served import served
    from fanwise.wiring import read_settings

    with CleaningUpAtSignals(), TemporaryDirectory(prefix="fanwise-demo-") as folder:
        # What isn't over at the end can't be taken up by others, so it goes with the folder.
        named = store or str(Path(folder) / "runs.db")
        settings = read_settings(store=named)
        with served(Path(folder), sizes, say):
            say(f"To look at the runs, in another terminal: {command('runs', store=named)}")
            serve_folder(settings, Path(folder), http=Http())


def _play(name: str, size: int, store: str | None) -> Played:
    from tempfile import TemporaryDirectory

    from fanwise.cli.commands.demo_stage import Stage
    from fanwise.demos.stage import Played
    from fanwise.wiring import read_settings

    settings = read_settings(store=store)
    with CleaningUpAtSignals(), TemporaryDirectory(prefix="fanwise-demo-") as folder:
        stage = Stage(settings, store, Path(folder), size)
        played = import_module(f"fanwise.demos.{name}.play").play(stage)
    assert isinstance(played, Played)
    if played.failed:
        say(f"\nThe demo {name} found what isn't true: {played.failed}.")
    return played


def _outcome_lines(name: str, played: Played, store: str | None) -> list[str]:
    """The measurements, if there are some, and the places to look further."""
    from fanwise.cli.text.render import table
    from fanwise.cli.text.summary import command
    from fanwise.demos.stage import demo_folder

    further = [
        ("the workflow", str(demo_folder(name) / "workflow.yaml")),
        ("its actions", str(demo_folder(name) / "actions.py")),
        ("the run", command("show", played.run.id, store=store)),
        *played.further,
        ("a copy to change", command("demo", name, "--copy", "DIR", store=None)),
    ]
    measured = ["", *table(("MEASURED", ""), played.rows)] if played.rows else []
    return [*measured, "", *table(("LOOK FURTHER", ""), further)]


def _closing_lines(results: Mapping[str, Played]) -> list[str]:
    from fanwise.cli.text.render import table
    from fanwise.units import show_span

    rows = [
        (name, _status(played), played.headline, show_span(played.run.duration_s))
        for name, played in results.items()
    ]
    return ["", *table(("DEMO", "STATUS", "WHAT", "TIME>"), rows)]


def _object(played: Played) -> dict[str, object]:
    """A demo as `--json` gives it."""
    return {
        "run_id": played.run.id,
        "status": _status(played),
        "failed": played.failed,
        "figures": played.figures,
    }


def _status(played: Played) -> str:
    return "failed" if played.failed else played.run.status.value


def _exit_status(played: Played) -> int:
    from fanwise.cli.commands.run import FAILED, exit_status

    return FAILED if played.failed else exit_status(played.run)
