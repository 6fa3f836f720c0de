"""`fanwise serve`: keeps the clock of a project's triggers, answers HTTP, and has runs driven."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from fanwise.cli import options
from fanwise.cli.live.telling import LogFormat, LogFormatOption, open_teller
from fanwise.cli.text.output import prints_aside

if TYPE_CHECKING:
    from fanwise.server.app import HttpServer
    from fanwise.wiring import Serving, Settings

_Workers = Annotated[
    int,
    typer.Option("--workers", min=0, max=1_000, metavar="N", help="Processes that take runs."),
]
_NoWork = Annotated[bool, typer.Option("--no-work", help="Start no process: others take the runs.")]
_Concurrency = Annotated[
    int,
    typer.Option(
        "--concurrency", min=1, max=10_000, metavar="N", help="At most so many runs in each."
    ),
]
_Host = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="The address that HTTP listens on.")
]
_Port = Annotated[
    int,
    typer.Option("--port", min=0, max=65_535, metavar="N", help="The port of HTTP; 0: a free one."),
]
_NoHttp = Annotated[bool, typer.Option("--no-http", help="Answer no HTTP.")]
_PublicUrl = Annotated[
    str | None,
    typer.Option("--public-url", metavar="URL", help="The URL under which others reach it."),
]
_TrustedProxies = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-proxy",
        metavar="ADDRESS",
        help="A proxy, or a network of these, whose X-Forwarded-For and X-Forwarded-Host are "
        "believed; may be given several times.",
    ),
]
_InsecureHttp = Annotated[
    bool,
    typer.Option(
        "--insecure-http", help="Let tokens travel as text that others on the way can read."
    ),
]

_AllowInline = Annotated[
    bool,
    typer.Option(
        "--allow-inline", help="Let administrators retry runs with definitions that they send."
    ),
]


def serve(
    workers: _Workers = 1,
    no_work: _NoWork = False,
    concurrency: _Concurrency = 10,
    host: _Host = "127.0.0.1",
    port: _Port = 8420,
    no_http: _NoHttp = False,
    public_url: _PublicUrl = None,
    trusted_proxy: _TrustedProxies = None,
    insecure_http: _InsecureHttp = False,
    allow_inline: _AllowInline = False,
    log_format: LogFormatOption = LogFormat.TEXT,
    packs: options.Packs = None,
    executor: options.Executor = None,
    processes: options.ProcessCount = None,
    ray: options.RayAddress = None,
    store: options.StoreUrl = None,
) -> None:
    """Fire a project's triggers, run what is due, answer HTTP.

    The project is that of the current folder. Its files are read again when they change; one that
    has become wrong keeps what it said before. Several servers may share a store. Ctrl-C or SIGTERM
    stops it, and the processes, which put their runs back for others.

    Exit status: 0 it was stopped, 2 the store, fanwise.yaml or the port can't be used, 130 it was
    stopped twice.
    """
    from fanwise.wiring import read_settings

    settings = read_settings(
        store=store,
        packs=packs or (),
        executor=executor,
        processes=processes,
        ray=ray,
        public_url=public_url,
    )
    serve_folder(
        settings,
        Path.cwd(),
        workers=0 if no_work else workers,
        concurrency=concurrency,
        http=None
        if no_http
        else Http(host, port, public_url, insecure_http, tuple(trusted_proxy or ()), allow_inline),
        log_format=log_format,
    )


class Http(NamedTuple):
    """The place where HTTP is answered, the URL under which others reach it, and its proxies.

    For `takes_definitions` see `server.parts.Parts`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str | None = None
    is_insecure: bool = False
    proxies: tuple[str, ...] = ()
    takes_definitions: bool = False


def serve_folder(
    settings: Settings,
    folder: Path,
    *,
    workers: int = 1,
    concurrency: int = 10,
    http: Http | None,
    log_format: LogFormat = LogFormat.TEXT,
) -> None:
    """Serve the project around a folder until a signal comes.

    Raises `StoreError`, `DefinitionError` and `UsageError`, also for a port that is taken.
    """
    from fanwise.cli.live.serve import serve_project
    from fanwise.service.workers import WorkerProcesses
    from fanwise.telemetry.serving import ServerCounts
    from fanwise.wiring import keep_one_heap, open_serving, worker_environment

    keep_one_heap()
    counts, tell = ServerCounts(needs_workers=workers > 0), open_teller(log_format)

    def open_http(serving: Serving) -> HttpServer | None:
        if http is None:
            return None
        from fanwise.server.opening import open_server

        return open_server(
            serving,
            settings,
            http.host,
            http.port,
            http.public_url,
            is_insecure=http.is_insecure,
            proxies=http.proxies,
            takes_definitions=http.takes_definitions,
            counts=counts,
            access_log=tell.lines,
        )

    command = [sys.executable, "-P", "-m", "fanwise", "work", "--until-eof"]
    command += ["--concurrency", str(concurrency), "--log-format", log_format]
    environment = worker_environment(settings)
    with prints_aside():
        serve_project(
            lambda watcher: open_serving(settings, folder, watcher),
            open_http,
            lambda watcher: WorkerProcesses(command, environment, workers, watcher),
            counts,
            tell,
        )
