"""The cause of a failure inside child workflows: the step, or its item, that failed first."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from fanwise.model import ErrorInfo, Status, inner_path
from fanwise.ports import Records

_read_error = msgspec.json.Decoder(ErrorInfo).decode


class Cause(NamedTuple):
    """A step that failed, or one of its items, by its path, such as `each[7].up`."""

    path: str
    error: ErrorInfo


def find_cause(records: Records, run_no: int, path: str, error: ErrorInfo) -> Cause:
    """Follow the failure of a task or an item at `path` down to where it began."""
    cause = Cause(path, error)
    while (named := cause.error.failed_step) is not None:
        steps = records.tasks(run_no, within=path)
        failed = [step for step in steps if step.error is not None]
        step = next((each for each in failed if each.path == f"{path}.{named}"), None)
        if step is None or step.error is None:
            break
        path = inner_path(step.path, step.visit)
        cause = Cause(step.path, step.error)
        if step.has_items:
            items = records.items(run_no, step.visit_no, status=Status.FAILED, limit=1)
            if not items or items[0].error is None:
                break
            path = f"{path}[{items[0].index}]"
            cause = Cause(path, _read_error(items[0].error))
    return cause
