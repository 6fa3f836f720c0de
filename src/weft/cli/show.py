"""`weft show`: shows a run as it is recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from weft.cli import options
from weft.cli.output import as_json, clean, has_colours, print_results

if TYPE_CHECKING:
    from weft.model import RunRecord, TaskRun

_MAX_STEPS = 200


def show(
    run_id: options.RunId,
    within: options.Within = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Show what is recorded of a run, or of one child workflow in it."""
    from weft.cli.recorded import as_run, find_run, find_steps, last_visits, tree
    from weft.cli.summary import (
        failure_lines,
        output_text,
        run_lines,
        run_object,
        step_lines,
        step_object,
    )
    from weft.values import decode
    from weft.wiring import open_records, read_settings

    settings = read_settings(store=store)
    with open_records(settings) as records:
        record = find_run(records, run_id)
        if within is not None:
            steps = find_steps(records, record, within)
            if json:
                print_results(as_json(step_object(step)) for step in steps)
                return
            print_results(step_lines(steps, colours=has_colours(sys.stdout)))
            print_results(_traceback_lines(steps))
            return
        visits = last_visits(records.tasks(record.run_no))
        run = as_run(record, visits, settings.limits)
        if json:
            facts = {"file": record.file, "parameters": decode(record.parameters)}
            print_results([as_json(run_object(run) | facts)])
            return
        print_results(run_lines(run, visits, _fact_lines(record), colours=has_colours(sys.stdout)))
        steps = tree(records, record.run_no, visits.values(), _MAX_STEPS)
        if any("." in step.path for step in steps):
            print_results(["", *step_lines(steps, colours=has_colours(sys.stdout))])
        print_results(failure_lines(records, record.id, visits, store))
    print_results(_traceback_lines({**visits, **last_visits(steps)}.values()))
    if run.output is not None:
        print_results(["", "Output:", output_text(run)])


def _traceback_lines(tasks: Iterable[TaskRun]) -> list[str]:
    from weft.cli.tracebacks import Tracebacks

    tracebacks = Tracebacks()
    for task in tasks:
        if task.error is not None:
            tracebacks.add(task.path, task.error)
    return tracebacks.lines()


def _fact_lines(record: RunRecord) -> list[str]:
    from weft.cli.render import shorten, show_time
    from weft.values import decode

    lines = [f"File: {clean(record.file)}"]
    if record.started_at is not None:
        lines.append(f"Started: {show_time(record.started_at)}")
    if record.ended_at is not None:
        lines.append(f"Ended: {show_time(record.ended_at)}")
    parameters = decode(record.parameters)
    if parameters:
        lines.append("Parameters:")
        lines += [f"  {name}: {shorten(as_json(value))}" for name, value in parameters.items()]
    return lines
