"""`fanwise work`: takes submitted runs and drives them, until it is stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from fanwise.cli import options
from fanwise.cli.live.telling import LogFormat, LogFormatOption, open_teller
from fanwise.cli.text.output import prints_aside

_Concurrency = Annotated[
    int,
    typer.Option("--concurrency", min=1, max=10_000, metavar="N", help="At most so many at once."),
]
_Queues = Annotated[
    list[str] | None,
    typer.Option(
        "--queue",
        metavar="NAME",
        help="A queue to take runs from; may be given several times. Default: default.",
    ),
]
_UntilEof = Annotated[
    bool,
    typer.Option("--until-eof", help="Stop, too, once standard input, a pipe, has ended."),
]
_ReportTo = Annotated[
    int | None,
    typer.Option(
        "--report-to",
        metavar="FD",
        help="A descriptor to write counts to, for the server that starts it.",
    ),
]
_MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65_535,
        metavar="N",
        help="A port of this machine at which metrics are read; 0: a free one.",
    ),
]


def work(
    concurrency: _Concurrency = 10,
    queue: _Queues = None,
    packs: options.Packs = None,
    executor: options.Executor = None,
    processes: options.ProcessCount = None,
    ray: options.RayAddress = None,
    grace: options.Grace = None,
    until_eof: _UntilEof = False,
    report_to: _ReportTo = None,
    metrics_port: _MetricsPort = None,
    log_format: LogFormatOption = LogFormat.TEXT,
    store: options.StoreUrl = None,
) -> None:
    """Take submitted runs, and drive several at once, until stopped.

    Ctrl-C or SIGTERM stops it: it takes nothing more, lets what is in flight finish, and puts the
    runs back into their queues for others. Of several queues the first is emptied before the next.

    Exit status: 0 it was stopped, 2 the store can't be used, 130 it was stopped twice.
    """
    from fanwise.cli.live.work import take_runs
    from fanwise.model import DEFAULT_QUEUE
    from fanwise.wiring import open_taking, read_settings

    settings = read_settings(
        store=store, packs=packs or (), executor=executor, processes=processes, ray=ray
    )
    with prints_aside():
        take_runs(
            lambda takings: open_taking(
                settings,
                queues=queue or [DEFAULT_QUEUE],
                most=concurrency,
                grace_s=grace,
                takings=takings,
            ),
            open_teller(log_format),
            until_eof=until_eof,
            report_to=report_to,
            metrics_port=metrics_port,
        )
