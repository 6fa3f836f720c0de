"""The contexts that the benchmarks measure with, and the ways to give one to each item.

A sample context has a hundred finished tasks, whose results are lists of records as an inventory or
a monitor gives them: numbers, names, a URL and a sentence. Its size is that of the results as JSON.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

from fanwise.context import WorkflowContext
from fanwise.values import JsonObject

TASKS = 100

Results = dict[str, list[JsonObject]]
"""Results of tasks by their names, as plain values."""

Way = Callable[[int], object]
"""Makes the context of the item with this index."""


def sample_results(total_bytes: int) -> Results:
    """Results of a hundred tasks, together about `total_bytes` of JSON; never less than a record.

    They share nothing but constants.
    """
    return {f"task_{task}": sample_result(task, total_bytes) for task in range(TASKS)}


def sample_result(task: int, total_bytes: int) -> list[JsonObject]:
    """The result of one of these tasks, which are numbered from 0."""
    record_bytes = len(json.dumps(_record(0, 0)))
    each, extra = divmod(max(1, round(total_bytes / record_bytes)), TASKS)
    return [_record(task, number) for number in range(each + (task < extra))]


def _record(task: int, number: int) -> JsonObject:
    name = f"web-{number:04}"
    return {
        "id": task * 100_000 + number,
        "name": name,
        "region": "eu-central",
        "role": "web",
        "health_endpoint": f"https://{name}.eu-central.example.org/health",
        "status": 200,
        "seconds": number / 1000,
        "message": f"{name} answered after {number} ms, and 3 of 3 probes passed",
    }


def shared_context(results: Results) -> WorkflowContext:
    """The context of a run whose tasks had these results."""
    context = WorkflowContext()
    for name, output in results.items():
        context = context.with_result(name, output)
    return context


def ways(results: Results) -> dict[str, Way]:
    """The ways to give each item a context: two that copy it, and fanwise's."""
    plain = {"parameters": {}, "vars": {}, "task": results}
    shared = shared_context(results)

    def deep_copy(index: int) -> object:
        return {**copy.deepcopy(plain), "item": index, "index": index}

    def json_copy(index: int) -> object:
        return {**json.loads(json.dumps(plain)), "item": index, "index": index}

    def fanwise(index: int) -> object:
        return shared.for_item(index, index)

    return {DEEP_COPY: deep_copy, JSON_COPY: json_copy, FANWISE: fanwise}


DEEP_COPY = "deep copy"
JSON_COPY = "JSON round trip"
FANWISE = "fanwise"
