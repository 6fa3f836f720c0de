"""Makes a run from a plan and parameters, or once more from its record."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from fanwise.arguments import require_list, require_text, require_whole
from fanwise.context import MANUAL_TRIGGER, TRIGGER_KEYS, WorkflowContext
from fanwise.engine.masking import Masker
from fanwise.engine.run_rules import with_rules
from fanwise.errors import AttemptError, ParameterError, UsageError
from fanwise.model import MOST_PRIORITY, RunOrigin, RunRecord, Status, Submission
from fanwise.plan import Plan, bind_parameters, require_no_secrets, require_recordable
from fanwise.ports import SECRET_PREFIX, Arrivals, Clock, Randomness, Secrets
from fanwise.values import FrozenDict, Json, LazyList, decode, encode, freeze, thaw

_MAX_TAGS: Final = 20
_MOST_KEY: Final = 200
_is_tag = re.compile(r"[A-Za-z0-9._:=/-]{1,100}").fullmatch
_RUN_ID: Final = (
    "letters, digits, dots, underscores and hyphens, at most 100, and no dot at the start"
)
_LEAST_UNNAMED_SECRET: Final = 6
"""Characters of a secret that is masked although the workflow doesn't name it."""


class PreparedRun(msgspec.Struct, frozen=True):
    """A run that is ready to be driven: its record, and the parts of it that aren't recorded."""

    plan: Plan
    record: RunRecord
    context: WorkflowContext
    masker: Masker
    timeout_s: float | None

    @property
    def has_secrets(self) -> bool:
        """True if parameters have values that aren't recorded, so no other process has them."""
        given = self.context.parameters
        return any(
            each.secret and given.get(name) is not None
            for name, each in self.plan.parameters.items()
        )


class RunFactory:
    """Prepares runs; time, randomness and secrets come from outside."""

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        secrets: Secrets,
        arrivals: Arrivals | None = None,
        *,
        person: str = "",
    ) -> None:
        """Prepare recorded runs as well if there are `arrivals`, which has events of batches.

        New runs are started by `person`.
        """
        self._clock = clock
        self._randomness = randomness
        self._secrets = secrets
        self._arrivals = arrivals
        self._person = person

    def new(
        self,
        plan: Plan,
        given: Mapping[str, Json],
        run_id: str | None,
        items: int | None,
        tags: Collection[str],
    ) -> PreparedRun:
        """A run that isn't recorded yet. Raises `ParameterError` and `UsageError`."""
        record = self._new_record(plan, given, run_id, tags)
        record = replace(record, origin=replace(record.origin, most_items=items))
        return self._prepared(plan, record, given)

    def submitted(
        self,
        plan: Plan,
        given: Mapping[str, Json],
        run_id: str | None,
        tags: Collection[str],
        trigger: Mapping[str, Json] = {},
    ) -> RunRecord:
        """A run to be submitted, which another process drives by its record alone.

        `trigger` has the facts of the fire that makes it, if one does. Secrets that the workflow
        names are those of that process. Raises `ParameterError`, also for a parameter that is a
        secret or holds one, and `UsageError`.
        """
        record = self._new_record(plan, given, run_id, tags)
        events = trigger.get("events")
        paged = events if isinstance(events, LazyList) else None
        known = {
            name: thaw(value)
            for name, value in trigger.items()
            if value is not None and value is not paged
        }
        count = None if paged is None else len(paged)
        record = replace(record, origin=replace(record.origin, trigger=known, events=count))
        require_recordable(plan, given)
        bound = bind_parameters(plan, given)
        require_no_secrets(plan, bound, self.masker().mask)
        context = _first_context(record, bound, {}, paged)
        shown = {
            name: None if plan.parameters[name].secret else value for name, value in bound.items()
        }
        origin = with_rules(record.origin, plan, context)
        return replace(record, parameters=encode(shown), origin=origin)

    def masker(self) -> Masker:
        """A masker of the secrets in the environment, for texts that are no run's."""
        return Masker(self._other_secrets())

    def _new_record(
        self, plan: Plan, given: Iterable[str], run_id: str | None, tags: Collection[str]
    ) -> RunRecord:
        run_id = self._new_id() if run_id is None else run_id
        require_text("run_id", run_id)
        if not _is_run_id(run_id):
            raise UsageError(f'"{run_id}" can\'t be the id of a run: ids are {_RUN_ID}.')
        return RunRecord(
            run_no=0,
            id=run_id,
            workflow=plan.name,
            file=str(Path(plan.file).absolute()),
            definition=plan.text,
            parameters=b"{}",
            status=Status.PENDING,
            created_at=self._clock.now(),
            tags=_checked_tags(tags),
            origin=_origin(plan, given, by=self._person),
        )

    def recorded(
        self,
        plan: Plan,
        record: RunRecord,
        secrets: Mapping[str, Json],
        corrected: Mapping[str, Json] = {},
    ) -> PreparedRun:
        """A recorded run, to be resumed or retried. Raises `ParameterError`.

        `secrets` has its secret parameters, which aren't recorded, and `corrected` others that
        have new values. With a `plan` that isn't the
        recorded one, or calls others, the record is changed to say so.
        """
        if not record.origin.folder:
            record = replace(record, origin=_first_origin(plan, record))
        given = {**_recorded_parameters(plan, record, secrets), **corrected}
        if corrected:
            names = tuple(dict.fromkeys((*record.origin.given, *corrected)))
            record = replace(record, origin=replace(record.origin, given=names))
        was = record.origin
        origin = _with_plan(was, plan)
        # Where triggers and servers make runs, actions aren't known.
        is_first = record.started_at is None and not was.actions
        if is_first or plan.text != record.definition or origin.workflows != was.workflows:
            record = replace(
                record,
                workflow=plan.name,
                file=str(Path(plan.file).absolute()),
                definition=plan.text,
                origin=origin,
            )
        return self._prepared(plan, record, given)

    def _prepared(self, plan: Plan, record: RunRecord, given: Mapping[str, Json]) -> PreparedRun:
        bound = bind_parameters(plan, given)
        secrets = self._read_secrets(plan)
        hidden = [value for name, value in bound.items() if plan.parameters[name].secret]
        masker = Masker([*secrets.values(), *hidden, *self._other_secrets()])
        context = _first_context(record, bound, secrets, self._events(record))
        shown = {
            name: None if plan.parameters[name].secret else value for name, value in bound.items()
        }
        record = replace(
            record,
            parameters=encode(masker.mask(shown)),
            origin=with_rules(record.origin, plan, context),
        )
        return PreparedRun(plan, record, context, masker, _timeout_s(plan, context))

    def _events(self, record: RunRecord) -> LazyList | None:
        """The events of the batch that has made a run, if one has."""
        count = record.origin.events
        if count is None or self._arrivals is None:
            return None
        from fanwise.triggers.events import Events  # seldom needed

        read = partial(self._arrivals.batch_events, record.run_no)
        return Events(lambda start, stop: [(e.index, e) for e in read(start, stop)], count)

    def _other_secrets(self) -> list[str]:
        # An action may find them in the environment; a short one is in many a text.
        return [value for value in self._secrets.values() if len(value) >= _LEAST_UNNAMED_SECRET]

    def _new_id(self) -> str:
        started = datetime.fromtimestamp(self._clock.now(), UTC)
        return f"{started:%Y%m%d-%H%M%S}-{self._randomness.token(4)}"

    def _read_secrets(self, plan: Plan) -> dict[str, str]:
        names = {name for each in plan.family() for name in each.secrets}
        found = {name: self._secrets.get(name) for name in sorted(names)}
        if missing := [name for name, value in found.items() if value is None]:
            raise ParameterError(
                "\n".join(
                    f'{plan.file}  the secret "{name}" is not set. '
                    f"Set the environment variable {SECRET_PREFIX}{name}."
                    for name in missing
                )
            )
        return {name: value for name, value in found.items() if value is not None}


def checked_queue(name: str) -> str:
    """The name of a queue. Raises `UsageError` if it can't be one."""
    if not (isinstance(name, str) and _is_tag(name)):
        raise UsageError(
            f'"{name}" can\'t be a queue: names are letters, digits and . _ - : = /, at most 100.'
        )
    return name


def checked_submission(submission: Submission) -> Submission:
    """The place of a new run in a queue. Raises `UsageError` if it can't be one."""
    checked_queue(submission.queue)
    require_whole("priority", submission.priority)
    if submission.once is not None:
        require_text("once", submission.once)
    if not -MOST_PRIORITY <= submission.priority <= MOST_PRIORITY:
        raise UsageError(
            f"a priority is a whole number from -{MOST_PRIORITY} to {MOST_PRIORITY}, not "
            f"{submission.priority}.",
            hint="Runs with a higher one are taken first; 0 if none is given.",
        )
    once = submission.once
    if once is not None and not (0 < len(once) <= _MOST_KEY and once.isprintable()):
        raise UsageError(
            f"a key for submitting once is printable text of 1 to {_MOST_KEY} characters."
        )
    return submission


def _checked_tags(tags: Collection[str]) -> tuple[str, ...]:
    """The tags of a run as they are recorded: sorted, each once. Raises `UsageError`."""
    given = [tags] if isinstance(tags, str) else tags
    require_list("tags", given, '"tag"')
    for tag in given:
        if not (isinstance(tag, str) and _is_tag(tag)):
            raise UsageError(
                f'"{tag}" can\'t be a tag: tags are letters, digits and . _ - : = /, at most 100.'
            )
    found = tuple(sorted(set(given)))
    if len(found) > _MAX_TAGS:
        raise UsageError(f"a run has at most {_MAX_TAGS} tags, not {len(found)}.")
    return found


def _origin(plan: Plan, given: Iterable[str], *, by: str = "") -> RunOrigin:
    """The origin of a run that starts here and now."""
    return _with_plan(RunOrigin(folder=str(Path.cwd()), given=tuple(given), by=by), plan)


def _with_plan(origin: RunOrigin, plan: Plan) -> RunOrigin:
    """The origin of a run with all that a plan says of it, but for its rules."""
    first, *called = plan.family()
    specs = [task.spec for each in (first, *called) for task in each.tasks]
    return replace(
        origin,
        packs=plan.packs,
        workflows={str(Path(each.file).absolute()): each.text for each in called},
        actions={spec.name: spec.digest for spec in specs if spec.workflow is None},
        named_limits=tuple(
            dict.fromkeys(
                task.limit for each in (first, *called) for task in each.tasks if task.limit
            )
        ),
    )


def _first_origin(plan: Plan, record: RunRecord) -> RunOrigin:
    """The origin of a run of a version that recorded none: as if the run started here and now.

    Parameters whose values differ from their defaults were given. Secret parameters aren't
    recorded, so each counts as given.
    """
    recorded = decode(record.parameters)
    given = [
        name
        for name, parameter in plan.parameters.items()
        if parameter.secret or recorded.get(name, parameter.default) != parameter.default
    ]
    return _origin(plan, given)


def _recorded_parameters(
    plan: Plan, record: RunRecord, secrets: Mapping[str, Json]
) -> dict[str, Json]:
    """The run's parameters, with its secret ones given again. Raises `ParameterError`."""
    declared = plan.parameters
    if wrong := [name for name in secrets if name not in declared or not declared[name].secret]:
        raise ParameterError(
            f'run {record.id} keeps its parameters; "{wrong[0]}" isn\'t a secret one.',
            hint="Only the values of secret parameters are given again.",
        )
    needed = [name for name in record.origin.given if name in declared and declared[name].secret]
    if missing := [name for name in needed if name not in secrets]:
        raise ParameterError(
            "\n".join(
                f'the secret parameter "{name}" of run {record.id} isn\'t recorded. '
                f"Give it again: -p {name}=..."
                for name in missing
            )
        )
    kept = {
        name: value
        for name, value in decode(record.parameters).items()
        if name in declared
        and not declared[name].secret
        and not (value is None and declared[name].default is None)
    }
    return {**kept, **secrets}


def _first_context(
    record: RunRecord,
    parameters: FrozenDict,
    secrets: Mapping[str, str],
    events: LazyList | None,
) -> WorkflowContext:
    """The context of a run at its start, with the events of its batch, if there is one."""
    started = datetime.fromtimestamp(record.created_at, UTC).isoformat(timespec="milliseconds")
    trigger = MANUAL_TRIGGER
    if record.origin.trigger:
        facts = {**dict.fromkeys(TRIGGER_KEYS), **record.origin.trigger}
        trigger = freeze(facts, where="trigger")
    if events is not None:  # which stay unread
        trigger = FrozenDict({**trigger, "events": events})
    return WorkflowContext(
        parameters=parameters,
        run={"id": record.id, "started_at": started},
        trigger=trigger,
        secrets=secrets,
    )


def _timeout_s(plan: Plan, context: WorkflowContext) -> float | None:
    """The run's timeout in seconds. Raises `ParameterError` if the parameters give none."""
    if plan.timeout is None:
        return None
    try:
        timeout_s: float | None = plan.timeout.resolve(context)
    except AttemptError as error:
        raise ParameterError(error.message, hint=error.hint) from None
    return timeout_s


def _is_run_id(text: str) -> bool:
    return (
        0 < len(text) <= 100
        and text.isascii()
        and not text.startswith(".")
        and all(letter.isalnum() or letter in "._-" for letter in text)
    )
