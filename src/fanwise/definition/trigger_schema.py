"""The keys of a trigger under `on`: each kind's own, and those that all of them have.

Schedules stand here as they are written: `triggers/` reads expressions, zones and dates. Texts that
may be templates are described as such; all else is literal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StrictBool

from fanwise.definition.field_types import (
    Annotations,
    Name,
    OptionalCondition,
    Text,
    Values,
    literal,
    no_values,
)
from fanwise.definition.keys import Keys
from fanwise.definition.literals import (
    DURATION_PATTERN,
    TRIGGER_KINDS,
    has_template,
    parse_choice,
    parse_count,
    parse_duration,
)
from fanwise.definition.problems import BadValueError, shown

OVERLAPS: Final = ("skip", "queue", "queue-all", "cancel", "allow")
NO_SECRET: Final = "none"
END_STATUSES: Final = ("succeeded", "failed", "cancelled", "interrupted", "ended")
MOST_PRIORITY: Final = 100
EXCEPTIONS: Final = ("cron", "file", "holidays")
"""The kinds of exceptions of a schedule beside dates; the latter two are dates from elsewhere."""


def _choice(*words: str) -> Annotations:
    return literal(partial(parse_choice, choices=words), enum=list(words))


def _choices(*words: str) -> Annotations:
    """One of some words, or a list of several."""
    one = {"type": "string", "enum": list(words)}
    schema = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    return literal(partial(_parse_choices, choices=words), **schema)


def _parse_choices(value: object, *, choices: Sequence[str]) -> tuple[str, ...]:
    listed = value if isinstance(value, list) and value else [value]
    return tuple(parse_choice(each, choices=choices) for each in listed)


def _texts(value: object, *, of: str) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, list) and listed and all(_is_text(each) for each in listed):
        return tuple(listed)
    raise ValueError(f"takes {of}, or a list of one or more")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _text_or_list(of: str) -> Annotations:
    schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
    return literal(partial(_texts, of=of), **schema)


def plain(text: str) -> str:
    """Refuse a template."""
    if has_template(text):
        raise ValueError("takes a text and no template")
    return text


def _exceptions(value: object) -> tuple[tuple[str, str], ...]:
    """Dates and what stands for several of them as pairs of a kind and a text."""
    listed = value if isinstance(value, list) else [value]
    found: list[tuple[str, str]] = []
    for each in listed:
        if _is_text(each):
            found.append(("date", str(each)))
        elif isinstance(each, dict) and _is_exception(each):
            ((kind, text),) = each.items()
            found.append((kind, str(text)))
        else:
            raise BadValueError(
                "bad-type",
                f"takes dates, expressions, files of dates and holidays, not {shown(each)}",
                hint="Write a list such as [2026-12-25, "
                '{cron: "* * * * SAT,SUN"}, {file: closed.txt}, {holidays: DE-BY}].',
            )
    return tuple(found)


def _is_exception(given: dict[object, object]) -> bool:
    return len(given) == 1 and all(
        kind in EXCEPTIONS and _is_text(text) for kind, text in given.items()
    )


def _positive(parse: Callable[[object], float], value: object) -> float:
    found = parse(value)
    if found <= 0:
        raise ValueError("takes a duration of more than nothing")
    return found


_TEXT: Final = {"type": "string", "minLength": 1}
_DURATION: Final = {
    "type": ["string", "number"],
    "pattern": f"^{DURATION_PATTERN}$",
    "minimum": 0,
}
_Duration = Annotated[float, *literal(parse_duration, **_DURATION)]
_OptionalDuration = Annotated[float | None, *literal(parse_duration, **_DURATION)]
_Span = Annotated[float | None, *literal(partial(_positive, parse_duration), **_DURATION)]
_Size = Annotated[int | None, *literal(partial(parse_count, minimum=1), type="integer", minimum=1)]
_Plain = Annotated[
    Text, BeforeValidator(lambda text: plain(text) if isinstance(text, str) else text)
]
_Overlap = Annotated[str | None, *_choice(*OVERLAPS)]
_Names = Annotated[tuple[str, ...] | None, *_text_or_list("the name of a workflow")]


class ScheduleDefinition(Keys):
    """A trigger's times. Exactly one of `cron`, `every` and `at` says them."""

    cron: Annotated[tuple[str, ...] | None, *_text_or_list("a cron expression")] = Field(
        None, description="A cron expression of five fields, or a list whose union it is."
    )
    every: _OptionalDuration = Field(
        None, description="The time between two fires, in whole seconds, counted from 1970 on."
    )
    offset: _Duration = Field(0.0, description="A shift of the times of `every`; default none.")
    at: Annotated[tuple[str, ...] | None, *_text_or_list("a time such as 2026-12-01T08:00")] = (
        Field(None, description="A time or a list of times; it fires once at each.")
    )
    timezone: _Plain = Field(
        "UTC", description="The IANA name of the zone whose clock counts; default UTC."
    )
    from_: _Plain | None = Field(
        None, description="The first time that counts; a date is its midnight."
    )
    until: _Plain | None = Field(
        None, description="The first time that counts no more; a date is its midnight."
    )
    except_: Annotated[
        tuple[tuple[str, str], ...],
        *literal(
            _exceptions,
            anyOf=[_TEXT, {"type": "object"}, {"type": "array"}],
        ),
    ] = Field(
        (),
        description="Local dates without fires, also as expressions, files and holidays.",
    )
    jitter: _Duration = Field(
        0.0,
        description="The longest delay of a fire, drawn from its trigger and time; default none.",
    )
    overlap: _Overlap = Field(None, description="The trigger's `overlap`, which may stand here.")
    catch_up: Annotated[str, *_choice("last", "skip", "all")] = Field(
        "last", description="Which missed times fire later: the `last` (default), `all` or none."
    )
    within: _Duration = Field(
        86_400.0, description="The age up to which a missed time fires; default 1d."
    )


class HmacDefinition(Keys):
    """A signature of a sender's own kind."""

    header: _Plain = Field(description="The header that has the signature.")
    algorithm: Annotated[str, *_choice("sha256", "sha1", "sha512")] = Field(
        "sha256", description="`sha256` (default), `sha1` or `sha512`."
    )
    encoding: Annotated[str, *_choice("hex", "base64")] = Field(
        "hex", description="`hex` (default) or `base64`."
    )
    prefix: str = Field("", description="The text before the signature, such as `sha256=`.")
    signed: Text = Field(
        "{body}", description="The text that is signed, of `{body}` and `{timestamp}`."
    )
    timestamp_header: _Plain | None = Field(
        None, description="The header that has the time of the request, in seconds since 1970."
    )
    tolerance: _Duration = Field(300.0, description="The greatest age of a request; default 5m.")


class SignatureDefinition(Keys):
    """The signature of requests. A text is its `scheme`."""

    scheme: Annotated[str, *_choice("token", "github", "standard")] = Field(
        "token", description="`token` (default), `github` or `standard`."
    )
    hmac: HmacDefinition | None = Field(None, description="A signature of the sender's own kind.")


class WebhookDefinition(Keys):
    """Requests to `POST /hooks/PATH`."""

    path: _Plain = Field(description="The end of the URL: `/hooks/PATH`.")
    secret: Annotated[
        tuple[str, ...] | None, *_text_or_list('a template such as "{{ secrets.HOOK }}"')
    ] = Field(
        None,
        description="The secret, as `{{ secrets.NAME }}`, or two in a list while it is changed; "
        "`none` lets everybody in.",
    )
    signature: SignatureDefinition | None = Field(
        None, description="How requests are signed; default by a token."
    )
    headers: Annotated[tuple[str, ...], *_text_or_list("the name of a header")] = Field(
        (), description="The headers that `trigger.event.headers` has."
    )


class BatchDefinition(Keys):
    """Several events that become one run."""

    size: _Size = Field(None, description="The number of events that closes the batch.")
    within: _Span = Field(None, description="The time from its first event until it closes.")
    key: Text | None = Field(
        None, description="A template; events of different keys are in different batches."
    )


class FileDefinition(Keys):
    """Files that appear in a folder."""

    path: _Plain = Field(description="The folder.")
    glob: _Plain = Field(
        "*", description='The names, in which `*` stands for anything; default "*".'
    )
    settle: _Duration = Field(
        10.0, description="The time for which a file has to stay as it is; default 10s."
    )
    poll: Annotated[float, *literal(partial(_positive, parse_duration), **_DURATION)] = Field(
        5.0, description="The time between two looks; default 5s."
    )
    recursive: StrictBool = Field(False, description="Whether folders within it count as well.")
    existing: Annotated[str, *_choice("skip", "take")] = Field(
        "skip", description="Files that are there at first: `skip` (default) or `take`."
    )
    batch: BatchDefinition | None = Field(None, description="Several files become one run.")


class EventDefinition(Keys):
    """Events by their name. A text is the `name`."""

    name: _Plain = Field(description="The event's name, in which `*` stands for anything.")
    batch: BatchDefinition | None = Field(None, description="Several events become one run.")
    debounce: _Span = Field(None, description="Starts one run once no event has come for so long.")


class RunTriggerDefinition(Keys):
    """Runs of other workflows that end."""

    workflow: _Names = Field(description='A workflow\'s name, a list, or "*" for any.')
    status: Annotated[tuple[str, ...], *_choices(*END_STATUSES)] = Field(
        ("ended",), description="How it ended, or a list; default `ended`, which is any end."
    )


class MissingDefinition(Keys):
    """Runs or events that ought to have come."""

    workflow: _Names = Field(None, description="The workflows that ought to end.")
    event: _Plain | None = Field(None, description="Or the event that ought to come.")
    status: Annotated[tuple[str, ...], *_choices(*END_STATUSES)] = Field(
        ("ended",),
        description="How the workflow ought to end, or a list; default `ended`, which is any end.",
    )
    within: _Span = Field(description="The time since the last one after which it fires.")


class FireDedupeDefinition(Keys):
    """Fires that are the same, of which one makes a run."""

    key: Text = Field(description="A template; fires with one key are the same.")
    for_: _Duration = Field(description="The time for which a key is remembered.")


class TriggerDefinition(Keys):
    """A cause of runs of the workflow: exactly one of its kinds, with parameters for the run."""

    name: Name = Field(description="The trigger's name, by which its history is found.")
    schedule: ScheduleDefinition | None = Field(None, description="Times.")
    webhook: WebhookDefinition | None = Field(None, description="Requests over HTTP.")
    file: FileDefinition | None = Field(None, description="Files in a folder.")
    event: EventDefinition | None = Field(None, description="Events by name.")
    run: RunTriggerDefinition | None = Field(None, description="Ends of other workflows' runs.")
    missing: MissingDefinition | None = Field(None, description="Runs or events that fail to come.")
    when: OptionalCondition = Field(
        None, description="Whether it fires, as a template over `trigger`; default always."
    )
    parameters: Values = Field(
        default_factory=no_values, description="The run's parameters; templates name `trigger`."
    )
    dedupe: FireDedupeDefinition | None = Field(
        None, description="Fires that are the same make one run."
    )
    overlap: _Overlap = Field(
        None,
        description="What happens while a run of this trigger is open: `skip` (default of "
        "schedules), `queue`, `queue-all`, `cancel` or `allow` (default of others).",
    )
    priority: Annotated[
        int | None,
        *literal(
            partial(parse_count, minimum=-MOST_PRIORITY, maximum=MOST_PRIORITY),
            type="integer",
            minimum=-MOST_PRIORITY,
            maximum=MOST_PRIORITY,
        ),
    ] = Field(None, description="The run's priority, from -100 to 100.")
    tags: Annotated[tuple[str, ...], *_text_or_list("a tag")] = Field(
        (), description="Tags of the run."
    )
    enabled: StrictBool = Field(True, description="Whether it fires at all; default true.")

    @property
    def kinds(self) -> list[str]:
        """The kinds that it is given as, which is one."""
        return [kind for kind in TRIGGER_KINDS if getattr(self, kind) is not None]


class Triggers(Keys):
    """The triggers of a workflow, under the key that it has for them."""

    on: tuple[TriggerDefinition, ...] = Field((), description="The triggers that start runs.")


PARTS: Final[dict[str, type[Keys]]] = {
    "schedule": ScheduleDefinition,
    "webhook": WebhookDefinition,
    "signature": SignatureDefinition,
    "hmac": HmacDefinition,
    "file": FileDefinition,
    "event": EventDefinition,
    "batch": BatchDefinition,
    "run": RunTriggerDefinition,
    "missing": MissingDefinition,
    "dedupe": FireDedupeDefinition,
}
"""The maps within a trigger that have keys of their own."""
