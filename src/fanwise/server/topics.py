"""The topics of streams of events: runs, a task, logs, waits and triggers, as they stand at a look.

A topic gives the whole of its small objects, which streams share. Of tiles each stream is told
those that have changed since its last look, and of logs those that have come.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from fanwise.errors import RunNotFoundError, TaskNotFoundError
from fanwise.model import RunRecord, Tile, VisitRecord
from fanwise.reports.kinds import digest_items
from fanwise.reports.listing import RunFilters, find_runs
from fanwise.reports.lookup import find_visit
from fanwise.reports.objects import log_object, progress_object, wait_object
from fanwise.reports.ownership import visit_status
from fanwise.reports.progress import item_progress
from fanwise.server.event_streams import frame_of
from fanwise.server.finding import find_seen
from fanwise.server.problems import Refusal
from fanwise.server.routes import Call
from fanwise.server.runs import listed_runs, run_view
from fanwise.server.triggers import rows_of

_LISTED: Final = 50
_MOST_KINDS: Final = 10
_MOST_TILES: Final = 200
_MOST_LOGS: Final = 500
_MOST_WAITS: Final = 200
_HEAVY: Final = ("output", "parameters")


class Event(NamedTuple):
    """An event, as streams send it. One that is `whole` stands for all before of its kind."""

    kind: str
    frame: bytes
    is_whole: bool = True


class Tiles(NamedTuple):
    """The tiles of a visit as they stand; `names` are in all events of its task."""

    visit_no: int
    names: Mapping[str, object]
    found: Mapping[int, Tile]


class News(NamedTuple):
    """The events of a topic at a look, and the runs that it changes with, if it is with these.

    It `has_more` if another look finds more at once. Of `tiles` a stream is told the changed ones,
    and of logs, which were read up to the number `read_to`, those that it hasn't been told.
    """

    events: Sequence[Event]
    run_nos: Sequence[int] | None
    has_more: bool = False
    tiles: Tiles | None = None
    read_to: int | None = None


class Topic:
    """A topic of one stream. `read` looks at it, and may block; those with one `key` look alike."""

    def __init__(self, key: Hashable, read: Callable[[], News]) -> None:
        self.key = key
        self.read = read

    def events(self, news: News) -> Sequence[Event]:
        """Return the events of a look that this stream may not have sent yet."""
        return news.events


def topic_of(call: Call, name: str) -> Topic:
    """Return the topic of a name. Raises `Refusal` for a name that is none."""
    kind, _, rest = name.partition(":")
    run_id, _, path = rest.partition("/")
    key = (name, call.who.workflows)
    if name == "runs":
        return Topic(key, lambda: _newest(call))
    if name == "waits":
        return Topic(key, lambda: _waits(call))
    if name == "triggers":
        return Topic(key, lambda: _triggers(call))
    if kind == "run" and rest:
        return Topic(key, lambda: _run(call, rest))
    if kind == "task" and run_id and path:
        return _Task(key, lambda: _task(call, run_id, path))
    if kind == "logs" and run_id:
        rest, _, cursor = rest.rpartition("@") if "@" in rest else (rest, "", "0")
        if cursor.isascii() and cursor.isdigit() and len(cursor) <= 15:
            run_id, _, path = rest.partition("/")
            return _Logs(call, run_id, path or None, int(cursor))
    raise Refusal(
        400,
        "bad-request",
        "A topic is `runs`, `run:ID`, `task:ID/TASK`, `logs:ID`, `logs:ID/TASK@CURSOR`, `waits` or "
        "`triggers`.",
    )


def _event(kind: str, value: object, *, is_whole: bool = True) -> Event:
    return Event(kind, frame_of(kind, msgspec.json.encode(value)), is_whole)


def _newest(call: Call) -> News:
    """The newest runs, which change with those of them that aren't over."""
    page = find_runs(call.parts.runs, RunFilters(), call.who.sees, limit=_LISTED)
    shown = listed_runs(call, page.runs)
    is_open = [run.run_no for run, _ in page.runs if not run.status.is_final]
    return News([_event("runs", {"runs": shown})], is_open)


def _run(call: Call, run_id: str) -> News:
    """A run, without what may be large or changes with the time alone."""
    try:
        run = find_seen(call, run_id)
    except RunNotFoundError:
        return _gone(run_id)
    view: Mapping[str, object] = run_view(call, run)
    light = {name: each for name, each in view.items() if name not in _HEAVY}
    return News([_event("run", light)], [run.run_no])


def _gone(run_id: str) -> News:
    return News([_event("gone", {"run_id": run_id})], ())


def _waits(call: Call) -> News:
    """The open questions and signals that runs wait for, the oldest first."""
    found = call.parts.store.waits_open(limit=_MOST_WAITS)
    shown = [wait_object(each) for each in found if call.who.sees(each.workflow)]
    return News([_event("waits", {"waits": shown})], None)


def _triggers(call: Call) -> News:
    """The triggers of the project as they stand."""
    seen = [each for each in call.parts.project.triggers if call.who.sees(each.plan.name)]
    return News([_event("triggers", {"triggers": rows_of(call, seen)})], None)


def _task(call: Call, run_id: str, path: str) -> News:
    """A task of a run at its last visit: its counts, its tiles and its kinds of errors."""
    store = call.parts.store
    try:
        run = find_seen(call, run_id)
    except RunNotFoundError:
        return _gone(run_id)
    try:
        visit = find_visit(store, run, path)
    except TaskNotFoundError:  # until it starts
        return News((), [run.run_no])
    names = {"run_id": run.id, "path": visit.path, "visit": visit.visit}
    events = [_event("task", {**names, **_counts(call, run, visit)})]
    if not visit.has_items:
        return News(events, [run.run_no])
    found = digest_items(store, run.run_no, visit.visit_no)
    kinds = [msgspec.structs.asdict(each) for each in found.kinds[:_MOST_KINDS]]
    events.append(_event("kinds", {**names, "kinds": kinds, "failed": found.failed}))
    tiles = {tile.number: tile for tile in store.tiles(run.run_no, visit.visit_no)}
    return News(events, [run.run_no], tiles=Tiles(visit.visit_no, names, tiles))


def _counts(call: Call, run: RunRecord, visit: VisitRecord) -> Mapping[str, object]:
    parts = call.parts
    items = item_progress(parts.store, visit)
    told = None
    if visit.ended_at is None:
        told = parts.store.progress(run.run_no).get(visit.visit_no)
    return {
        "status": visit_status(visit.status, parts.runs.status(run)),
        "attempts": visit.attempts if items is None else items.attempts,
        "items": None if items is None else progress_object(items),
        "running": None if told is None else told.running,
        "waiting": None if told is None else told.waiting,
        "per_s": None if told is None else told.per_s,
    }


class _Task(Topic):
    """A task, of whose tiles each stream is told those that have changed since its last look."""

    def __init__(self, key: Hashable, read: Callable[[], News]) -> None:
        super().__init__(key, read)
        self._visit_no = 0
        self._tiles: Mapping[int, Tile] = {}

    def events(self, news: News) -> Sequence[Event]:
        """Return the events, with the tiles that have changed before the kinds of errors."""
        if news.tiles is None:
            return news.events
        if news.tiles.visit_no != self._visit_no:
            self._visit_no, self._tiles = news.tiles.visit_no, {}
        first, *others = news.events
        return [first, *self._changed(news.tiles), *others]

    def _changed(self, tiles: Tiles) -> Iterator[Event]:
        """The tiles that aren't as they were at the last look; a retry takes some back."""
        had, self._tiles = self._tiles, tiles.found
        gone = [Tile(number) for number in had if number not in tiles.found]
        changed = [tile for number, tile in tiles.found.items() if had.get(number) != tile]
        changed += gone
        for start in range(0, len(changed), _MOST_TILES):
            part = changed[start : start + _MOST_TILES]
            rows = [(each.number, each.succeeded, each.failed, each.cancelled) for each in part]
            yield _event("tiles", {**tiles.names, "tiles": rows}, is_whole=False)


class _Logs(Topic):
    """The logs of a run, or of a task or an item and what runs in it, after a cursor of its own."""

    def __init__(self, call: Call, run_id: str, under: str | None, after: int) -> None:
        super().__init__(object(), self._look)
        self._call = call
        self._run_id = run_id
        self._under = under
        self._after = after

    def events(self, news: News) -> Sequence[Event]:
        """Return the logs of a look, unless they have been told: a stream may be given it twice."""
        if news.read_to is None:
            return news.events
        if news.read_to <= self._after:
            return ()
        self._after = news.read_to
        return news.events

    def _look(self) -> News:
        try:
            run = find_seen(self._call, self._run_id)
        except RunNotFoundError:
            return _gone(self._run_id)
        found = self._call.parts.store.new_logs(run.run_no, after=self._after, limit=_MOST_LOGS)
        meant = [each for each in found if self._under is None or each.is_under(self._under)]
        shown = [
            _event(
                "log",
                {"run_id": run.id, **log_object(each), "cursor": str(each.log_no)},
                is_whole=False,
            )
            for each in meant
        ]
        read_to = found[-1].log_no if found else None
        return News(shown, [run.run_no], has_more=len(found) == _MOST_LOGS, read_to=read_to)
