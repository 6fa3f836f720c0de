"""The runs of a server, read and changed by the names that a `RunStore` has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Self

from fanwise.arguments import require_list, require_map, require_seconds, require_text
from fanwise.client.records import (
    Sent,
    SentAnswer,
    SentDefinition,
    SentDetails,
    SentItem,
    SentLogs,
    SentRuns,
    SentSignal,
    SentStart,
    SentVisits,
)
from fanwise.client.requests import Query, Requests, is_header, read_address
from fanwise.client.results import BulkChange, Comparison, SentComparison
from fanwise.errors import UsageError
from fanwise.model import INTERRUPTED, Status
from fanwise.run_store import Item, Log, RunDetails, RunSummary, TaskVisit, moment_of, status_of
from fanwise.values import Json, freeze

_PAGE: Final = 200
_BULK: Final = ("pause", "resume", "cancel", "retry", "delete")


def connect(
    url: str, token: str, *, timeout_s: float = 30.0, insecure_http: bool = False
) -> RemoteStore:
    """The runs of the server at a URL, to be used as a block.

    `token` is one of `fanwise token add`. An answer, or a part of a long one, may take `timeout_s`.
    With https the server's certificate is checked against those that this machine trusts; without
    it the token travels to another machine only with `insecure_http`. Raises `UsageError` for a URL
    that is none, and `ServerError` if the server can't be reached or doesn't know the token.
    """
    requests = Requests(read_address(url, is_insecure=insecure_http), token, timeout_s)
    requests.get(Sent, "me")
    return RemoteStore(requests)


def start_run(requests: Requests, body: Mapping[str, object], once: str | None) -> SentStart:
    """Have a run started, just once for a key. Raises what `RemoteStore.start` does."""
    headers = {}
    if once is not None:
        require_text("idempotency_key", once)
        if not is_header(once):
            raise UsageError("`idempotency_key` takes printable characters of ASCII.")
        headers["Idempotency-Key"] = once
    return requests.post(SentStart, "runs", body=body, headers=headers)


class RemoteStore:
    """The runs of a server, to be used as a block; `fanwise.connect` gives one.

    What `RunStore` reads is read by the same names, so that code works with either. Changes are
    requests: an engine carries them out a moment after the method has returned. Methods block, and
    any thread may call them. Each raises the errors that it would raise on the server's machine,
    and `ServerError` if the server can't be reached or refuses the request; an iterator raises them
    as it is read.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def runs(
        self,
        *,
        status: Status | str | None = None,
        workflow: str | None = None,
        since: datetime | float | None = None,
        tags: Collection[str] = (),
    ) -> Iterator[RunSummary]:
        """The runs to which all filters apply, the newest first; see `RunStore.runs`."""
        given = [tags] if isinstance(tags, str) else tags
        require_list("tags", given, '"tag"')
        if workflow is not None:
            require_text("workflow", workflow)
        at = moment_of(since)
        query: Query = {
            "workflow": workflow,
            "since": None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
            "tag": list(given),
        }
        return self._runs(status_of(status), query)

    def get(self, run_id: str) -> RunDetails:
        """The run with this id."""
        run = self._requests.get(SentDetails, "runs", run_id)
        definition = self._requests.get(SentDefinition, "runs", run_id, "definition")
        return run.details(definition.files[0].text)

    def tasks(self, run_id: str, *, within: str = "") -> list[TaskVisit]:
        """The visits of the run's tasks, in the order of their starts; see `RunStore.tasks`."""
        query: Query = {"within": within, "outputs": "true"}
        sent = self._requests.get(SentVisits, "runs", run_id, "tasks", query=query)
        return [visit.task_visit() for visit in sent.visits]

    def items(
        self,
        run_id: str,
        task: str,
        *,
        status: Status | str | None = None,
        error: str | None = None,
        label: str | None = None,
        slower_s: float | None = None,
    ) -> Iterator[Item]:
        """The recorded items of a task's last visit, in the order of their indexes.

        Filters are those of `RunStore.items`. They are read as they arrive, by one request, so a
        reader that stops for minutes may be cut off; then `ServerError` is raised.
        """
        require_seconds("slower_s", slower_s)
        query: Query = {
            "status": status_of(status),
            "error": error,
            "label": label,
            "slower_s": slower_s,
        }
        return (item.outcome() for item in self._items(run_id, task, query))

    def outputs(self, run_id: str, task: str) -> Iterator[tuple[int, Json]]:
        """Index and output of each item that succeeded in a task's last visit, in their order."""
        sent = self._items(run_id, task, {"status": Status.SUCCEEDED})
        return ((item.index, item.value()) for item in sent)

    def logs(self, run_id: str, path: str | None = None) -> Iterator[Log]:
        """The logs of a run, in the order in which they were recorded.

        With a `path`, only those of that task or item, `check` or `check[17]`, and of the attempts
        within it.
        """
        cursor: str | None = None
        while True:
            query: Query = {"under": path, "cursor": cursor, "limit": _PAGE}
            page = self._requests.get(SentLogs, "runs", run_id, "logs", query=query)
            yield from (each.log() for each in page.logs)
            if page.next == cursor:
                return
            cursor = page.next

    def start(
        self,
        workflow: str,
        parameters: Mapping[str, Json] | None = None,
        *,
        tags: Collection[str] = (),
        run_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Start a run of a workflow of the server's project, and return its id.

        However often it is asked for with the same `idempotency_key`, for example since an answer
        got lost, there is one run. A run that the workflow's `dedupe` makes needless is
        not made either, and the id is that of the earlier one. Raises `ParameterError`,
        `RunExistsError` if `run_id` is taken, and `QueueFullError`.
        """
        require_map("parameters", parameters)
        body = {
            "workflow": workflow,
            "parameters": freeze(dict(parameters or {}), where="parameters"),
            "tags": [tags] if isinstance(tags, str) else list(tags),
            "run_id": run_id,
        }
        return start_run(self._requests, body, idempotency_key).run_id

    def pause(self, run_id: str) -> None:
        """Have a run paused: nothing new starts, the rest finishes.

        Raises `RunOverError`, and `RunNotDrivenError` if no process drives it.
        """
        self._change(run_id, "pause")

    def resume(self, run_id: str, *, force: bool = False) -> None:
        """Have a run resumed that was paused, or whose process has died, by the next free engine.

        With `force` files are read further that have changed. Raises `RunOverError` and
        `RunDrivenError`.
        """
        self._change(run_id, "resume", {"force": force})

    def cancel(self, run_id: str) -> None:
        """Have a run cancelled: all is cut off, but `finally` runs. Raises `RunOverError`."""
        self._change(run_id, "cancel")

    def retry(
        self,
        run_id: str,
        *,
        from_task: str | None = None,
        items_of: str | None = None,
        kind: int | None = None,
        definition: str | None = None,
        force: bool = False,
    ) -> None:
        """Have done again what failed of a run, and what comes after it; the rest is kept.

        With `from_task` it starts at this task, also if that had succeeded; with `items_of` a task
        and a `kind` of errors just those of its failed items run again; with `definition`, the text
        of a repaired workflow, the run has this from then on; with `force` files are read further
        that have changed. Raises `RunNotOverError`, `RunDrivenError`, `NothingToRetryError` and,
        for a definition with problems, `DefinitionError`.
        """
        body = {"from_task": from_task, "items_of": items_of, "kind": kind, "force": force}
        if definition is None:
            self._change(run_id, "retry", body)
        else:
            self._change(run_id, "repair", {**body, "definition": definition})

    def answer(
        self,
        run_id: str,
        path: str,
        choice: str | None = None,
        fields: Mapping[str, Json] | None = None,
        *,
        by: str | None = None,
    ) -> bool:
        """Answer the question that a run asks at `path`; see `fanwise.answer`.

        `by` names who answers, by default the token.
        """
        require_map("fields", fields)
        given = freeze(dict(fields or {}), where="fields")
        body = {"path": path, "choice": choice, "fields": given, "by": by}
        sent = self._requests.post(SentAnswer, "runs", run_id, "answers", body=body)
        return sent.answered().at is not None

    def signal(
        self, run_id: str, name: str, key: str | None = None, payload: Json = None
    ) -> str | None:
        """Send a signal to a run, and return the path of the task or item whose wait it ends.

        See `fanwise.signal`; the sender is the token.
        """
        body = {"name": name, "key": key, "payload": freeze(payload, where="payload")}
        return self._requests.post(SentSignal, "runs", run_id, "signals", body=body).path

    def delete(self, run_id: str) -> None:
        """Delete a run that is over or paused, with all its records.

        Raises `RunNotOverError` for a run that is pending, running or waiting.
        """
        self._requests.delete("runs", run_id)

    def bulk(self, action: str, run_ids: Collection[str]) -> BulkChange:
        """Begin a change of at most 10,000 runs: `pause`, `resume`, `cancel`, `retry` or `delete`.

        The runs are changed one after the other, as each would be alone; those that can't be are
        told with the reason, in what `bulk_change` returns a moment later.
        """
        if action not in _BULK:
            raise UsageError(
                f"`action` is no change of many runs: {action!r}.",
                hint=f"There are {', '.join(_BULK)}.",
            )
        require_list("run_ids", run_ids, '"id"')
        body = {"ids": list(run_ids)}
        return self._requests.post(BulkChange, "bulk", action, body=body)

    def bulk_change(self, bulk_id: str) -> BulkChange:
        """A change of many runs as far as it has come, by the `id` that `bulk` gave it."""
        return self._requests.get(BulkChange, "bulk", bulk_id)

    def compare(self, a: str, b: str) -> Comparison:
        """The differences of two runs: of their workflows, parameters, tasks and errors."""
        query: Query = {"a": a, "b": b}
        return self._requests.get(SentComparison, "compare", query=query).comparison()

    def close(self) -> None:
        """End the block. Each request has a connection of its own, so nothing is left open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _runs(self, status: Status | None, query: Query) -> Iterator[RunSummary]:
        """Runs page by page: to find those that are open, interrupted ones have to be asked for."""
        is_shared = status in (Status.PENDING, Status.RUNNING)
        shown = [] if status is None else [status, *([INTERRUPTED] if is_shared else [])]
        cursor: str | None = None
        while True:
            asked = {**query, "status": shown, "cursor": cursor, "limit": _PAGE}
            page = self._requests.get(SentRuns, "runs", query=asked)
            found = (run.summary() for run in page.runs)
            yield from (run for run in found if status in (None, run.status))
            if page.next is None:
                return
            cursor = page.next

    def _items(self, run_id: str, task: str, query: Query) -> Iterator[SentItem]:
        return self._requests.lines(
            SentItem, "runs", run_id, "tasks", task, "items.jsonl", query=query
        )

    def _change(self, run_id: str, verb: str, body: Mapping[str, object] | None = None) -> None:
        self._requests.post(Sent, "runs", run_id, verb, body=body or {})
