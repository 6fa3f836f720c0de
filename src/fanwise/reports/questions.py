"""Questions about runs, each answered by one report: data that any face shows, and that can travel.

A question is a function of a `Sight` and of plain arguments. With a store at hand it is called; a
server calls it for others, by its name in `QUESTIONS`. So both give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Final, NamedTuple

import msgspec

from fanwise.errors import UsageError
from fanwise.model import (
    INTERRUPTED,
    EndedRun,
    EngineRecord,
    ItemOutcome,
    LogEntry,
    OpenWait,
    RunRecord,
    Status,
    Submission,
    VisitProgress,
    VisitRecord,
)
from fanwise.ports import Records
from fanwise.reports.causes import Cause, find_cause
from fanwise.reports.items import ItemFilters, reader_of
from fanwise.reports.kinds import Digest, digest_items
from fanwise.reports.limits import (
    LimitInUse,
    NamedLimitInUse,
    limits_in_use,
    named_limits_in_use,
)
from fanwise.reports.lookup import (
    find_steps,
    find_task,
    find_visit,
    last_visits,
    recorded_definition,
    task_names,
    tree,
)
from fanwise.reports.objects import read_error
from fanwise.reports.overview import (
    Overview,
    Steps,
    driven_times,
    overview,
    steps_of,
    timed_overview,
    visit_span,
)
from fanwise.reports.ownership import Driver, Filters
from fanwise.reports.progress import ItemProgress, item_progress
from fanwise.reports.sight import Sight
from fanwise.reports.timing import RunTime
from fanwise.reports.waits import is_asked, is_question

MOST_LISTED: Final = 1_000
"""The most runs, items or logs that one answer has."""

MOST_WAITS: Final = 100_000
MOST_INDEX: Final = 10**18

_Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST_LISTED)]
_WaitLimit = Annotated[int, msgspec.Meta(ge=1, le=MOST_WAITS)]
_Index = Annotated[int, msgspec.Meta(ge=-1, le=MOST_INDEX)]
_Shown = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join([*Status, INTERRUPTED])})$")]
_Statuses = Annotated[Sequence[_Shown], msgspec.Meta(max_length=len(Status) + 1)]

_MOST_STEPS: Final = 200
_MOST_WAITS: Final = 20
_MOST_EXAMPLES: Final = 5


class StorePlace(NamedTuple):
    """The place of a store, without any password, and its size."""

    place: str
    total_bytes: int


def store_place(sight: Sight) -> StorePlace | None:
    """The place of the store, and its size; None for a reader who may see some workflows only."""
    if sight.sees is not None:
        return None
    return StorePlace(sight.store.place, sight.store.size().total_bytes)


class ListedRun(NamedTuple):
    """A run of a list: the status to show, the seconds driven, and its place in a queue."""

    run: RunRecord
    status: str
    duration_s: float | None
    place: Submission | None


def listed_runs(
    sight: Sight,
    *,
    status: _Shown | None = None,
    workflow: str | None = None,
    since: float | None = None,
    tags: Sequence[str] = (),
    before: str | None = None,
    limit: _Limit = MOST_LISTED,
) -> Sequence[ListedRun]:
    """The newest runs that all of this is true of; `before` is the id of a newer run."""
    runs = sight.runs
    found = runs.newest(
        status,
        Filters(workflow, since, tags),
        before=None if before is None else sight.find(before).run_no,
        limit=limit,
        sees=sight.sees,
    )
    places = runs.queue.submissions([run.run_no for run, _ in found])
    spans = driven_times(runs, [run for run, _ in found], sight.now)
    return [
        ListedRun(run, status, spans.get(run.run_no), places.get(run.run_no))
        for run, status in found
    ]


def run_ids(sight: Sight, statuses: _Statuses = ()) -> Sequence[str]:
    """The ids of runs, or of those that are shown with these statuses, the newest first.

    At most a thousand of each status.
    """
    if sight.sees is None and not statuses:
        return sight.store.run_ids()[:MOST_LISTED]
    newest = [
        run
        for status in statuses or (None,)
        for run, _ in sight.runs.newest(status, limit=MOST_LISTED, sees=sight.sees)
    ]
    return [run.id for run in sorted(newest, key=lambda run: -run.run_no)]


class RunWords(NamedTuple):
    """The workflows and the tags of the newest runs."""

    workflows: Sequence[str]
    tags: Sequence[str]


def run_words(sight: Sight) -> RunWords:
    """The words by which the newest thousand runs are found."""
    newest = [run for run, _ in sight.runs.newest(None, limit=MOST_LISTED, sees=sight.sees)]
    return RunWords(
        list(dict.fromkeys(run.workflow for run in newest)),
        list(dict.fromkeys(tag for run in newest for tag in run.tags)),
    )


def task_paths(sight: Sight, run_id: str, *, with_items: bool = False) -> Sequence[str]:
    """The paths of the tasks of a run, or of those with items alone."""
    visits = sight.store.tasks(sight.find(run_id).run_no)
    return [visit.path for visit in visits if visit.has_items or not with_items]


def ended_runs(sight: Sight, run_ids: Sequence[str]) -> Sequence[EndedRun]:
    """The runs with these ids, or with ids that begin so, each once.

    Raises `RunNotFoundError`, and `UsageError` for a run that isn't over or paused.
    """
    wanted = {sight.find(run_id).id: None for run_id in run_ids}
    ended = {run.id: run for run in sight.store.ended_runs() if run.id in wanted}
    for run_id in wanted:
        if run_id not in ended:
            raise UsageError(
                f"run {run_id} isn't over, so nothing of it is deleted.",
                hint=f"End it first: fanwise cancel {run_id}",
            )
    return [ended[run_id] for run_id in wanted]


class RunState(NamedTuple):
    """The id of a run, its status to show and by its record, and its place in a queue.

    A process drives it if it `is_driven`.
    """

    run_id: str
    status: str
    recorded: Status
    is_driven: bool
    place: Submission | None

    @property
    def is_queued(self) -> bool:
        """Say whether an engine is to take the run."""
        return self.place is not None and self.place.is_waiting


def run_state(sight: Sight, run_id: str) -> RunState:
    """The state of a run, in short.

    It is read in the order of a run's way: from its queue to an engine, and to what that records.
    So one that is taken meanwhile doesn't look as if it stood where it stood before.
    """
    found = sight.find(run_id)
    place = sight.runs.submission(found)
    is_driven = sight.runs.owner(found) is not None
    run = sight.find(found.id)
    return RunState(run.id, sight.runs.status(run), run.status, is_driven, place)


class FailedItems(NamedTuple):
    """The failed items of the task at `path`: their kinds, and an item of each frequent kind."""

    path: str
    digest: Digest
    examples: Sequence[ItemOutcome]


class ShownRun(NamedTuple):
    """A run with all that people look for in it.

    `steps` are its tasks with the steps of the workflows that they called, and `failures` the
    failed items of all of these.
    """

    seen: Overview
    timing: RunTime | None
    place: Submission | None
    waits: Sequence[OpenWait]
    wake_at: float | None
    steps: Steps
    failures: Sequence[FailedItems]

    @property
    def last(self) -> Mapping[str, VisitRecord]:
        """The last visit of each task and step."""
        return {**self.seen.last, **last_visits(self.steps.visits)}


def shown_run(sight: Sight, run_id: str) -> ShownRun:
    """A run as it stands, and where its time went."""
    records, run = sight.store, sight.find(run_id)
    definition = recorded_definition(run, sight.limits)
    seen, timing = timed_overview(sight.runs, run, definition, sight.now)
    visits = tree(records, run.run_no, seen.last.values(), _MOST_STEPS)
    return ShownRun(
        seen,
        timing,
        sight.runs.submission(run),
        records.waits_open(run_no=run.run_no, limit=_MOST_WAITS),
        records.wake_at(run.run_no),
        steps_of(records, seen, visits),
        failed_items(records, seen.progress, {**seen.last, **last_visits(visits)}),
    )


class ShownSteps(NamedTuple):
    """Visits of a run, and the failed items of the last visit of each task."""

    seen: Overview
    steps: Steps
    failures: Sequence[FailedItems]


def shown_steps(sight: Sight, run_id: str, within: str | None = None) -> ShownSteps:
    """All visits of a run, or those of the child workflow at the path `within`."""
    records, run = sight.store, sight.find(run_id)
    names = task_names(recorded_definition(run, sight.limits))
    seen = overview(sight.runs, run, names, sight.now)
    visits = seen.visits if within is None else find_steps(records, run, within)
    return ShownSteps(
        seen,
        steps_of(records, seen, visits),
        failed_items(records, seen.progress, last_visits(visits)),
    )


def failed_items(
    records: Records, progress: Mapping[str, ItemProgress], visits: Mapping[str, VisitRecord]
) -> Sequence[FailedItems]:
    """The failed items of visits by their paths; `progress` is that of those that are known."""
    found = []
    for path, visit in visits.items():
        counts = progress.get(path) or visit.items
        if counts is not None and counts.failed:
            digest = digest_items(records, visit.run_no, visit.visit_no)
            examples = [
                item
                for kind in digest.kinds[:_MOST_EXAMPLES]
                for item in records.items(
                    visit.run_no, visit.visit_no, after=kind.index - 1, until=kind.index
                )
            ]
            found.append(FailedItems(visit.path, digest, examples))
    return found


class FollowedRun(NamedTuple):
    """A run at one look of many.

    `progress` is that of items by `visit_no`, and `at_work` as their engine knew it last.
    """

    record: RunRecord
    status: str
    driver: Driver | None
    visits: Sequence[VisitRecord]
    progress: Mapping[int, ItemProgress]
    at_work: Mapping[int, VisitProgress]


def followed_run(sight: Sight, run_id: str) -> FollowedRun:
    """A run as somebody sees it who looks at it again and again."""
    records, run = sight.store, sight.find(run_id)
    driver = sight.runs.driver(run)
    visits = records.tasks(run.run_no)
    progress = {visit.visit_no: item_progress(records, visit) for visit in visits}
    return FollowedRun(
        run,
        sight.runs.status(run),
        driver,
        visits,
        {number: each for number, each in progress.items() if each is not None},
        {} if driver is None else records.progress(run.run_no),
    )


def driven_time(sight: Sight, run_id: str, visit_no: _Index) -> float | None:
    """The seconds for which a visit was driven, as `shown_run` tells them; None if unknown."""
    run = sight.find(run_id)
    visits = {each.visit_no: each for each in sight.store.tasks(run.run_no)}
    visit = visits.get(visit_no)
    return None if visit is None else visit_span(sight.runs, run, visit, sight.now)


class FoundTask(NamedTuple):
    """The last visit of a task with items, and the id of its run."""

    run_id: str
    path: str
    visit_no: int


def found_task(sight: Sight, run_id: str, task: str) -> FoundTask:
    """The task with items of a run. Raises `TaskNotFoundError`, and `UsageError` without items."""
    run = sight.find(run_id)
    visit = find_task(sight.store, run, task)
    return FoundTask(run.id, visit.path, visit.visit_no)


def item_page(
    sight: Sight,
    run_id: str,
    visit_no: _Index,
    filters: ItemFilters,
    after: _Index,
    until: _Index | None = None,
    limit: _Limit = MOST_LISTED,
    beginning: _Index | None = None,
) -> Sequence[ItemOutcome]:
    """Items of a visit, in the order of their indexes; see `Records.items`."""
    read = reader_of(sight.store, sight.find(run_id).run_no, visit_no, filters)
    return read(after, until, limit, beginning)


def item_cause(
    sight: Sight, run_id: str, path: str, visit_no: _Index, index: _Index
) -> Cause | None:
    """The beginning of an item's failure, if its child workflow failed; None for another item."""
    run = sight.find(run_id)
    for item in sight.store.items(run.run_no, visit_no, after=index - 1, until=index):
        if item.error is not None:
            error = read_error(item.error)
            return find_cause(sight.store, run.run_no, f"{path}[{index}]", error)
    return None


def log_page(
    sight: Sight, run_id: str, under: str | None = None, after: LogEntry | None = None
) -> Sequence[LogEntry]:
    """Logs of a run in the order of tasks, indexes and attempts; see `Records.logs`.

    Raises `TaskNotFoundError` if there is no task or item `under` which they could be.
    """
    if after is not None:
        _require_numbers(after.visit_no, after.index or 0, after.log_no)
    records, run = sight.store, sight.find(run_id)
    found = records.logs(run.run_no, under=under, after=after)
    if not found and under is not None and after is None:
        name, bracket, index = under.removesuffix("]").rpartition("[")
        if under.endswith("]") and bracket and index.isdecimal():
            find_task(records, run, name)
        else:
            find_visit(records, run, under)
    return found


def _require_numbers(*numbers: int) -> None:
    if max(map(abs, numbers)) > MOST_INDEX:
        raise UsageError("there is no log of such a number.")


def new_log_page(sight: Sight, run_id: str, after: _Index = 0) -> Sequence[LogEntry]:
    """Logs of a run in the order in which they came; see `Records.new_logs`."""
    return sight.store.new_logs(sight.find(run_id).run_no, after=after)


def open_waits(
    sight: Sight, limit: _WaitLimit, *, mine: bool = False, by: str | None = None
) -> Sequence[OpenWait]:
    """The questions and signals that runs wait for, the oldest first.

    If they are `mine`, they are the questions that the reader may answer, or the person `by`.
    """
    if sight.sees is None and not mine:
        return sight.store.waits_open(limit=limit)
    found = sight.store.waits_open(limit=MOST_WAITS)
    seen = (each for each in found if sight.sees is None or sight.sees(each.workflow))
    return list(islice(_asked_of(sight, by or sight.reader, seen) if mine else seen, limit))


def _asked_of(sight: Sight, who: str, found: Iterable[OpenWait]) -> Iterator[OpenWait]:
    starters: dict[str, str] = {}
    for each in found:
        if not (is_question(each.wait) and is_asked(each.wait, who, starter="")):
            continue
        if each.run_id not in starters:
            run = sight.store.run(each.run_id)
            starters[each.run_id] = "" if run is None else run.origin.starter
        if is_asked(each.wait, who, starters[each.run_id]):
            yield each


def engines(sight: Sight) -> Sequence[EngineRecord]:
    """The processes that drive runs, or wait for some."""
    sight.require_all()
    return sight.runs.queue.engines()


class UsedLimits(NamedTuple):
    """The limits in use: those on runs at a time, and the named ones on attempts."""

    runs: Sequence[LimitInUse]
    attempts: Sequence[NamedLimitInUse]


def used_limits(sight: Sight) -> UsedLimits:
    """The limits across runs, and who has their slots."""
    sight.require_all()
    return UsedLimits(limits_in_use(sight.store, sight.runs), named_limits_in_use(sight.store))


QUESTIONS: Final[Mapping[str, Callable[..., object]]] = {
    question.__name__: question
    for question in (
        store_place,
        listed_runs,
        run_ids,
        run_words,
        task_paths,
        ended_runs,
        run_state,
        shown_run,
        shown_steps,
        followed_run,
        driven_time,
        found_task,
        item_page,
        item_cause,
        log_page,
        new_log_page,
        open_waits,
        engines,
        used_limits,
    )
}
"""The questions by their names; a server answers no others."""
