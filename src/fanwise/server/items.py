"""Items of a task: listed by conditions, one of them, its output, and all of them as files."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from aiohttp import web

from fanwise.errors import (
    DefinitionError,
    ParameterError,
    RunNotFoundError,
    SourceChangedError,
    TaskNotFoundError,
    UsageError,
)
from fanwise.model import ItemOutcome, Role, RunRecord, Status, VisitRecord
from fanwise.reports.item_csv import csv_lines
from fanwise.reports.items import (
    ItemFilters,
    ItemPages,
    Span,
    clipped,
    read_spans,
    reader_of,
)
from fanwise.reports.objects import item_object
from fanwise.server import tags
from fanwise.server.cursors import read_cursor, write_cursor
from fanwise.server.finding import fan_out_of, run_of
from fanwise.server.problems import Refusal
from fanwise.server.routes import JSON, Answer, Call, Fields, Route, json_answer
from fanwise.server.streams import attachment, send_pages
from fanwise.server.views import ItemList, ItemView
from fanwise.wiring import read_input

LISTED_OUTPUT: Final = 2_048
_MOST_INDEX: Final = 10**15
_Index = Annotated[int, msgspec.Meta(ge=-1, le=_MOST_INDEX)]
_Kind = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class ItemStatus(StrEnum):
    """A status of an item that has ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ItemConditions(Fields, frozen=True, kw_only=True):
    """Conditions on items: their status, their error's type, a part of the label, a duration.

    `kind` is the number of a kind of errors. Their indexes are over `after` and at most `until`,
    and in one of the spans `index`, such as `17`, `18-30` or `100-`, if some are given.
    """

    status: ItemStatus | None = None
    error: str | None = None
    kind: _Kind | None = None
    label: str | None = None
    slower_s: float | None = None
    index: Annotated[tuple[str, ...], msgspec.Meta(max_length=100)] = ()
    after: _Index = -1
    until: _Index | None = None

    @property
    def filters(self) -> ItemFilters:
        """The conditions as the store takes them: only failed items have an error."""
        status = None if self.status is None else Status(self.status.value)
        if self.error is not None or self.kind is not None:
            status = Status.FAILED
        return ItemFilters(status, self.error, self.label or None, self.slower_s, self.kind)

    def spans(self, after: int) -> list[Span]:
        """The spans of indexes over `after`, in order. Raises `UsageError`."""
        return clipped(read_spans(self.index, after=max(after, self.after)), self.until)


class ItemsQuery(ItemConditions, frozen=True, kw_only=True):
    """Conditions on items, and the page of them."""

    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100


def list_items(call: Call) -> Answer:
    """List the items of a task's last visit in the order of their indexes."""
    query, run = call.query(ItemsQuery), run_of(call)
    place = read_cursor(query, query.cursor)
    after = -1 if place is None else place
    chosen = _chosen(call, run, fan_out_of(call, run), query, after)
    pages = chosen.pages(query.limit, beginning=LISTED_OUTPUT)
    found = [item for page in pages for item in page]
    has_more = len(found) == query.limit and chosen.has_more(found[-1].index)
    following = write_cursor(query, found[-1].index) if has_more else None
    return json_answer({"items": [_listed(each) for each in found], "next": following})


def get_item(call: Call) -> Answer:
    """Tell of an item of a task's last visit."""
    run = run_of(call)
    return json_answer(item_object(_item_of(call, run)) | {"output_begins": None})


def get_item_output(call: Call) -> Answer:
    """Give the output of an item, as JSON to be saved."""
    run = run_of(call)
    item = _item_of(call, run)
    if item.output is None:
        raise Refusal(404, "not-found", "The item has no output.")
    name = f"{run.id}-{call.names['task']}-{item.index}.json"
    return Answer(item.output, JSON, headers=attachment(name))


def get_item_input(call: Call) -> Answer:
    """Give the input of an item, rendered again from what is recorded of the run."""
    run = run_of(call)
    visit, item = fan_out_of(call, run), _item_of(call, run)
    values = read_input(call.parts.store, run, call.parts.settings, visit, item)
    name = f"{run.id}-{call.names['task']}-{item.index}-input.json"
    return Answer(msgspec.json.encode(values), JSON, headers=attachment(name))


async def save_csv(call: Call) -> web.StreamResponse:
    """Send items as CSV, for spreadsheets."""
    run, chosen = await call.in_thread(_all_chosen)
    pages = ("\n".join([*lines, ""]).encode() for lines in csv_lines(chosen.pages()))
    name = f"{run.id}-{call.names['task']}.csv"
    return await send_pages(call, pages, type="text/csv; charset=utf-8", name=name)


async def save_lines(call: Call) -> web.StreamResponse:
    """Send items as JSON, a line an item."""
    run, chosen = await call.in_thread(_all_chosen)
    name = f"{run.id}-{call.names['task']}.jsonl"
    return await send_pages(call, _lines(chosen), type="application/x-ndjson", name=name)


def _lines(chosen: ItemPages) -> Iterator[bytes]:
    for page in chosen.pages():
        yield b"".join(msgspec.json.encode(item_object(each)) + b"\n" for each in page)


def _all_chosen(call: Call) -> tuple[RunRecord, ItemPages]:
    run, query = run_of(call), call.query(ItemConditions)
    return run, _chosen(call, run, fan_out_of(call, run), query, -1)


def _chosen(
    call: Call, run: RunRecord, visit: VisitRecord, query: ItemConditions, after: int
) -> ItemPages:
    read = reader_of(call.parts.store, run.run_no, visit.visit_no, query.filters)
    return ItemPages(read, query.spans(after))


def _listed(item: ItemOutcome) -> dict[str, object]:
    """An item of a list, with the beginning of an output that is long."""
    begins = None
    if item.output is not None and len(item.output.decode(errors="ignore")) >= LISTED_OUTPUT:
        begins = item.output.decode(errors="ignore")
        item = msgspec.structs.replace(item, output=None)
    return item_object(item) | {"output_begins": begins}


def _item_of(call: Call, run: RunRecord) -> ItemOutcome:
    """The item that a path names. Raises `Refusal` for none."""
    visit, text = fan_out_of(call, run), call.names["index"]
    if text.isascii() and text.isdigit() and int(text) <= _MOST_INDEX:
        number = int(text)
        for item in call.parts.store.items(
            run.run_no, visit.visit_no, after=number - 1, until=number, limit=1
        ):
            return item
    raise Refusal(404, "not-found", "The task has recorded no item with this index.")


_ERRORS: Final = (RunNotFoundError, TaskNotFoundError, UsageError)
_TASK: Final = "/api/v1/runs/{run_id}/tasks/{task}"

ROUTES: Final = (
    Route(
        method="GET",
        path=f"{_TASK}/items",
        handler=list_items,
        tag=tags.of_records,
        role=Role.READ,
        query=ItemsQuery,
        answer=ItemList,
        errors=_ERRORS,
    ),
    Route(
        method="GET",
        path=f"{_TASK}/items/{{index}}",
        handler=get_item,
        tag=tags.of_records,
        role=Role.READ,
        answer=ItemView,
        errors=_ERRORS,
    ),
    Route(
        method="GET",
        path=f"{_TASK}/items/{{index}}/output",
        handler=get_item_output,
        role=Role.READ,
        errors=_ERRORS,
        takes_ticket=True,
    ),
    Route(
        method="GET",
        path=f"{_TASK}/items/{{index}}/input",
        handler=get_item_input,
        role=Role.READ,
        errors=(*_ERRORS, SourceChangedError, DefinitionError, ParameterError),
        takes_ticket=True,
    ),
    Route(
        method="GET",
        path=f"{_TASK}/items.csv",
        handler=save_csv,
        role=Role.READ,
        query=ItemConditions,
        errors=_ERRORS,
        takes_ticket=True,
    ),
    Route(
        method="GET",
        path=f"{_TASK}/items.jsonl",
        handler=save_lines,
        role=Role.READ,
        query=ItemConditions,
        errors=_ERRORS,
        takes_ticket=True,
    ),
)
