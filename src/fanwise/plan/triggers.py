"""Triggers made ready: schedules read, templates compiled, and all of it checked.

A trigger's templates see `trigger` and nothing else: at a fire there is no run yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

import msgspec

from fanwise.context import WorkflowContext
from fanwise.definition import ParameterDefinition, did_you_mean
from fanwise.definition.problems import BadValueError
from fanwise.definition.trigger_schema import NO_SECRET, TriggerDefinition
from fanwise.errors import Diagnostic, Place
from fanwise.plan.values import Value, truth
from fanwise.triggers.decide import CatchUp, Scheduled
from fanwise.triggers.overlap import Overlap
from fanwise.triggers.written import ReadDates, read_schedule, schedule_warnings
from fanwise.values import FrozenDict, encode

Compile = Callable[..., Value]
"""Compiles a raw value that stands at a path of the definition."""

_ALL_KINDS: Final = ("kind", "name", "workflow", "date", "fired_at", "is_catch_up", "depth")
_OF_SCHEDULES: Final = ("scheduled_at", "previous_at")
_PACE: Final = {"settle", "poll", "batch", "debounce", "headers", "secret"}
"""Keys that say when and how a trigger takes up what it waits for, not what that is."""


class PlannedTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger. `definition` has the settings that are literal.

    `scheduled` is there for the kind `schedule` alone. Another `fingerprint` means that the trigger
    waits for something else, and counts from now on. `secrets` are the names of the secrets that
    requests to a webhook are signed with, empty if everybody may send some.
    """

    name: str
    kind: str
    place: Place
    definition: TriggerDefinition
    overlap: Overlap
    fingerprint: str
    scheduled: Scheduled | None = None
    secrets: tuple[str, ...] = ()
    when: Value | None = None
    parameters: Mapping[str, Value] = {}
    dedupe_key: Value | None = None
    batch_key: Value | None = None

    def admits(self, facts: FrozenDict) -> bool:
        """True if `when` holds for a fire with these facts. Raises `TemplateError`.

        Of events that are gathered each was judged by itself.
        """
        if facts.get("events") is not None:
            return True
        return self.when is None or truth(self.when, _evaluate(self.when, facts))

    def batch_of(self, facts: FrozenDict) -> str:
        """The key of the batch that an event with these facts is in. Raises `TemplateError`."""
        if self.batch_key is None:
            return ""
        return encode(_evaluate(self.batch_key, facts)).decode()

    def parameters_of(self, facts: FrozenDict) -> FrozenDict:
        """The run's parameters for a fire with these facts. Raises `TemplateError`."""
        return FrozenDict(
            {name: _evaluate(value, facts) for name, value in self.parameters.items()}
        )


def _evaluate(value: Value, facts: FrozenDict) -> object:
    return value.evaluate(WorkflowContext(trigger=facts), None)


class Places(Protocol):
    """A file that knows where its parts stand."""

    def place(self, *path: str | int) -> Place:
        """The start of the value at `path`."""

    def key_place(self, *path: str | int) -> Place:
        """The start of the key of the value at `path`."""


class Triggers:
    """Compiles triggers of one workflow; afterwards `problems` and `warnings` are complete."""

    def __init__(
        self,
        places: Places,
        workflow: str,
        parameters: Mapping[str, ParameterDefinition],
        compile_value: Compile,
        read_dates: ReadDates,
    ) -> None:
        self.problems: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self._places = places
        self._workflow = workflow
        self._parameters = parameters
        self._compile = compile_value
        self._read_dates = read_dates

    def compile_one(self, trigger: TriggerDefinition, at: int) -> PlannedTrigger:
        """The trigger that stands at `at` under `on`."""
        path = ("on", at)
        (kind,) = trigger.kinds
        overlap = self._overlap(trigger)
        scheduled = self._scheduled(trigger, overlap, *path)
        planned = PlannedTrigger(
            name=trigger.name,
            kind=kind,
            place=self._places.place(*path, "name"),
            definition=trigger,
            overlap=overlap,
            fingerprint=_fingerprint(trigger, kind) if scheduled is None else scheduled.fingerprint,
            scheduled=scheduled,
            secrets=tuple(self._secrets(trigger, *path)),
            when=self._when(trigger, *path),
            parameters={
                name: self._compile(raw, *path, "parameters", name)
                for name, raw in trigger.parameters.items()
            },
            dedupe_key=None
            if trigger.dedupe is None
            else self._compile(trigger.dedupe.key, *path, "dedupe", "key"),
            batch_key=self._batch_key(trigger, *path),
        )
        self.problems += _Names(planned).problems()
        self.problems += self._parameter_problems(planned, path)
        self._check_runs(trigger, *path)
        if kind != "schedule" and overlap in (Overlap.SKIP, Overlap.QUEUE) and not gathers(trigger):
            self._warn(
                (*path, "overlap"),
                "dropped-events",
                f'with overlap "{overlap}" events are dropped while a run is open.',
                "Gather them with batch, or write overlap: queue-all.",
            )
        return planned

    def _overlap(self, trigger: TriggerDefinition) -> Overlap:
        inner = trigger.schedule.overlap if trigger.schedule is not None else None
        default = Overlap.ALLOW if trigger.schedule is None else Overlap.SKIP
        return Overlap(inner or trigger.overlap or default)

    def _scheduled(
        self, trigger: TriggerDefinition, overlap: Overlap, *path: str | int
    ) -> Scheduled | None:
        written = trigger.schedule
        if written is None:
            return None
        inside = (*path, "schedule")

        def refuse(part: tuple[str | int, ...], error: BadValueError) -> None:
            text = f'trigger "{trigger.name}" {error}.'
            if part:
                text = f'"{part[0]}" of trigger "{trigger.name}" {error}.'
            place = self._places.place(*inside, *part)
            self.problems.append(Diagnostic(place, error.code, text, error.hint))

        schedule = read_schedule(written, refuse, self._read_dates)
        if schedule is None:
            return None
        for part, message, hint in schedule_warnings(written, schedule, overlap):
            self._warn((*inside, *part), "doubtful-schedule", message, hint)
        return Scheduled(
            workflow=self._workflow,
            name=trigger.name,
            schedule=schedule,
            overlap=overlap,
            catch_up=CatchUp(written.catch_up),
            within_s=written.within,
        )

    def _secrets(self, trigger: TriggerDefinition, *path: str | int) -> Iterator[str]:
        """The names of a webhook's secrets, each of which is one template alone."""
        given = (trigger.webhook and trigger.webhook.secret) or ()
        for at, text in enumerate(given if given != (NO_SECRET,) else ()):
            where = (*path, "webhook", "secret", at)
            value = self._compile(text, *where)
            references = [*value.references]
            is_name = len(value.templates) == 1 and value.templates[0].is_expression
            if is_name and len(references) == 1 and references[0][0] == "secrets":
                yield references[0][1]
            elif not value.is_broken:
                self.problems.append(
                    Diagnostic(
                        value.place,
                        "bad-trigger",
                        f'the secret of trigger "{trigger.name}" is written in the file, '
                        "or made of more than a secret.",
                        'Write secret: "{{ secrets.HOOK }}", and give FANWISE_SECRET_HOOK to '
                        "the process.",
                    )
                )

    def _when(self, trigger: TriggerDefinition, *path: str | int) -> Value | None:
        if trigger.when is None or trigger.when is True:
            return None
        value = self._compile(trigger.when, *path, "when")
        if not all(template.is_expression for template in value.templates):
            self.problems.append(
                Diagnostic(
                    value.place,
                    "bad-condition",
                    "this condition is text with templates in it, and a text is always true.",
                    'Write one expression, as in "{{ a and b }}".',
                )
            )
        return value

    def _batch_key(self, trigger: TriggerDefinition, *path: str | int) -> Value | None:
        for kind, part in (("file", trigger.file), ("event", trigger.event)):
            if part is not None and part.batch is not None:
                key = part.batch.key
                return None if key is None else self._compile(key, *path, kind, "batch", "key")
        return None

    def _check_runs(self, trigger: TriggerDefinition, *path: str | int) -> None:
        if trigger.run is not None and self._workflow in (trigger.run.workflow or ()):
            self.problems.append(
                Diagnostic(
                    self._places.place(*path, "run", "workflow"),
                    "bad-trigger",
                    f'trigger "{trigger.name}" starts the workflow after its own runs, for ever.',
                    "Name another workflow, or use a schedule.",
                )
            )

    def _parameter_problems(
        self, trigger: PlannedTrigger, path: tuple[str | int, ...]
    ) -> Iterator[Diagnostic]:
        for name, value in trigger.parameters.items():
            key_place = self._places.key_place(*path, "parameters", name)
            declared = self._parameters.get(name)
            if declared is None:
                known = ", ".join(self._parameters)
                yield Diagnostic(
                    key_place,
                    "unknown-parameter",
                    f'the workflow declares no parameter "{name}".',
                    did_you_mean(name, self._parameters)
                    or (f"It declares: {known}." if known else "It declares none."),
                )
            elif declared.secret:
                yield Diagnostic(
                    key_place,
                    "secret-recorded",
                    f'the secret parameter "{name}" would be recorded with the fire.',
                    "Name the secret in the workflow itself, as secrets.NAME.",
                )
            elif value.is_constant and not declared.accepted.fits(value.raw):
                yield Diagnostic(
                    value.place,
                    "bad-input",
                    f'the parameter "{name}" takes {declared.accepted.words}.',
                    "Change one of the two.",
                )
        for name, declared in self._parameters.items():
            if declared.required and name not in trigger.parameters:
                remedy = f"Add it to the trigger's parameters, such as {name}: ..."
                if declared.secret:
                    remedy = "It is secret: name it in the workflow itself, as secrets.NAME."
                yield Diagnostic(
                    trigger.place,
                    "missing-parameter",
                    f'trigger "{trigger.name}" doesn\'t give the parameter "{name}", which is '
                    "required.",
                    remedy,
                )

    def _warn(self, path: tuple[str | int, ...], code: str, message: str, hint: str) -> None:
        place = self._places.place(*path)
        self.warnings.append(Diagnostic(place, code, message, hint))


def _fingerprint(trigger: TriggerDefinition, kind: str) -> str:
    """A hash of what a trigger waits for. Defaults are left out, as of schedules."""
    written = getattr(trigger, kind).model_dump(exclude_defaults=True, exclude=_PACE)
    return hashlib.sha256(encode({kind: written})).hexdigest()[:16]


def gathers(trigger: TriggerDefinition) -> bool:
    """True if a run has several events."""
    by_file = trigger.file is not None and trigger.file.batch is not None
    event = trigger.event
    return by_file or (
        event is not None and (event.batch is not None or event.debounce is not None)
    )


class _Names:
    """Checks what a trigger's templates name, by its kind."""

    def __init__(self, trigger: PlannedTrigger) -> None:
        self._trigger = trigger
        self._gathers = gathers(trigger.definition)

    def problems(self) -> Iterator[Diagnostic]:
        trigger = self._trigger
        for value in (trigger.dedupe_key, *trigger.parameters.values()):
            yield from self._check(value, gathers=self._gathers)
        # Each event is judged by itself before it is gathered.
        for value in (trigger.when, trigger.batch_key):
            yield from self._check(value, gathers=False)

    def _check(self, value: Value | None, *, gathers: bool) -> Iterator[Diagnostic]:
        if value is None:
            return
        for template in value.templates:
            for path, place in sorted(template.references.items()):
                if fault := self._fault(path, gathers):
                    yield Diagnostic(place or value.place, "misplaced-name", *fault)
            for name, place in sorted(template.functions.items()):
                text = f"{name}() tells how a task ended, and no run has begun here."
                yield Diagnostic(place or value.place, "misplaced-name", text)

    def _fault(self, path: tuple[str, ...], gathers: bool) -> tuple[str, str] | None:
        if path[0] != "trigger":
            return (
                f"there is no `{path[0]}` here: a trigger fires before there is a run.",
                "Its templates name trigger, such as trigger.date.",
            )
        kind, name = self._trigger.kind, path[1] if len(path) > 1 else None
        if name is None or name in _ALL_KINDS or (kind == "schedule" and name in _OF_SCHEDULES):
            return None
        if name in ("event", "events") and kind not in ("schedule", "missing"):
            expected = "events" if gathers else "event"
            if name == expected:
                return None
            why = "gathers several" if gathers else "has one event for each run"
            return f"there is no trigger.{name} here: it {why}.", f"Name trigger.{expected}."
        article = "an event" if kind == "event" else f"a trigger of the kind {kind}"
        return f"trigger.{name} is null with {article}.", ""
