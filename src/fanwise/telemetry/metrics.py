"""The table of metrics: their names, kinds, labels and buckets. Spans are in seconds."""

from __future__ import annotations

from typing import Final, NamedTuple

_SPANS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG_SPANS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0)


class Metric(NamedTuple):
    """A metric. A counter has no `buckets`; a histogram has the upper bounds of its own."""

    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    is_level: bool = False
    """A gauge, which goes up and down."""


METRICS: Final[dict[str, Metric]] = {
    # Of processes that drive runs
    "fanwise_runs_taken": Metric("Runs that were taken to be driven.", ("workflow",)),
    "fanwise_runs_ended": Metric(
        "Runs that have ended, paused, begun to wait or gone back into their queue.",
        ("workflow", "status"),
    ),
    "fanwise_run_seconds": Metric(
        "Time for which runs that are over were driven.", ("workflow",), _LONG_SPANS
    ),
    "fanwise_start_delay_seconds": Metric(
        "Time from a run's entry into its queue until it was taken.", (), _LONG_SPANS
    ),
    "fanwise_tasks_ended": Metric("Visits of tasks that have ended.", ("status",)),
    "fanwise_items_ended": Metric("Items whose outcome is recorded.", ("status",)),
    "fanwise_runs_broken_off": Metric("Runs that an engine had to leave before their end."),
    "fanwise_engines_gone": Metric("Engines found dead, whose runs were put back."),
    "fanwise_store_errors": Metric("Times that the store couldn't be used."),
    "fanwise_runs_driven": Metric("Runs that are being driven.", is_level=True),
    "fanwise_items_running": Metric("Items whose attempt is being made.", is_level=True),
    "fanwise_items_waiting_retry": Metric("Items that wait to be retried.", is_level=True),
    # Of a server
    "fanwise_fires": Metric("Fires of triggers that were recorded.", ("status",)),
    "fanwise_fire_delay_seconds": Metric(
        "Time from the instant of a schedule until its fire was recorded.", (), _LONG_SPANS
    ),
    "fanwise_workers_ended": Metric("Processes that ended although they were to take runs."),
    "fanwise_workers": Metric("Processes of this server that take runs.", is_level=True),
    "fanwise_http_requests": Metric("Answers.", ("method", "route", "status")),
    "fanwise_http_seconds": Metric(
        "Time to answer, without answers that are streams.", ("route",), _SPANS
    ),
    "fanwise_loop_lag_seconds": Metric(
        "Time by which the event loop was late at its latest turn.", is_level=True
    ),
    # Of the store
    "fanwise_runs_ready": Metric(
        "Submitted runs that wait for an engine; at most 10,000 are counted.", is_level=True
    ),
    "fanwise_engines": Metric("Engines that the store knows.", is_level=True),
    "fanwise_store_bytes": Metric("Size of the store.", ("kind",), is_level=True),
    "fanwise_build_info": Metric("The version of fanwise.", ("version",), is_level=True),
}
"""All metrics, by their names without the `_total` that counters end with."""
