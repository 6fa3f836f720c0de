"""A snapshot gives what its templates name, and nothing beside it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from hashlib import blake2b

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from template_strategies import contexts, documents, expressions, words

from fanwise.context import ItemContext, WorkflowContext
from fanwise.errors import AttemptError, LimitError, Place, TemplateError, TemplateSyntaxError
from fanwise.model import ErrorInfo, ItemCounts, Limits, Status, TaskResult
from fanwise.plan import Value
from fanwise.plan.snapshot import (
    Snapshot,
    from_text,
    holds_secret,
    restore,
    secret_values,
    take_snapshot,
    to_text,
)
from fanwise.plan.values import compile_value
from fanwise.ports import InputText
from fanwise.triggers.facts import event_facts
from fanwise.values import LazyList, encode

LIMITS = Limits(template_steps=20_000, template_bytes=1_000_000)
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large]

raws = st.recursive(
    st.one_of(st.integers(), st.none(), words, expressions(), documents()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=4,
)


def compiled(raw: object) -> Value:
    """A value whose parts each have a place of their own."""

    def place(*path: str | int) -> Place:
        return Place("flow.yaml", 1 + len(path), 1 + len(repr(path)))

    def refuse(_place: Place, error: TemplateSyntaxError) -> None:
        raise error

    return compile_value(raw, place, LIMITS, refuse)


def drawn(raw: object) -> Value:
    """The same, where the drawn templates may be none at all."""
    try:
        return compiled(raw)
    except TemplateSyntaxError:
        assume(False)
        raise


def rendered(value: Value, context: WorkflowContext | ItemContext) -> tuple[str, str]:
    """The value that it has, with all of its types, or the error that says why it has none."""
    try:
        return "value", repr(value.evaluate(context, None))
    except AttemptError as error:
        return type(error).__name__, str(error)


def taken(context: WorkflowContext, *texts: str) -> Snapshot:
    return take_snapshot([compiled(text) for text in texts], context)


def content(snapshot: Snapshot) -> object:
    return msgspec.json.decode(snapshot.data)


@settings(suppress_health_check=SLOW_TO_DRAW, deadline=None)
@given(contexts(), raws)
def test_templates_render_over_a_snapshot_as_over_the_whole_context(
    context: ItemContext, raw: object
) -> None:
    """The same values, of the same types, and the same errors in the same words."""
    value = drawn(raw)
    restored = restore(take_snapshot([value], context.shared).data)
    assert rendered(value, restored.for_item(context.item, context.index)) == rendered(
        value, context
    )


@settings(suppress_health_check=SLOW_TO_DRAW, deadline=None)
@given(contexts(), raws, st.integers(1, 4))
def test_values_that_come_apart_as_secrets_render_the_same(
    context: ItemContext, raw: object, one_in: int
) -> None:
    """Whichever of the named values are secrets, they come back to their places."""
    value = drawn(raw)
    snapshot = take_snapshot(
        [value],
        context.shared,
        # The names that a message may choose from, a list of its own, stay.
        is_secret=lambda part: type(part) is not list and len(encode(part)) % one_in == 0,
    )
    apart = secret_values(context.shared, snapshot.secrets)
    restored = restore(snapshot.data, apart).for_item(context.item, context.index)
    assert rendered(value, restored) == rendered(value, context)


@settings(suppress_health_check=SLOW_TO_DRAW, deadline=None)
@given(contexts(), raws)
def test_each_value_in_a_snapshot_is_named(context: ItemContext, raw: object) -> None:
    """It stands on the path that a template names, and its size is that of its text."""
    value = drawn(raw)
    named = set(value.references)
    snapshot = take_snapshot([value], context.shared)
    for path, size in snapshot.sizes:
        assert any(reference[: len(path)] == path for reference in named)
        part = msgspec.json.decode(snapshot.data)
        for key in path:
            part = part[key]
        assert len(encode(part)) == size


@settings(suppress_health_check=SLOW_TO_DRAW, deadline=None)
@given(contexts(), raws)
def test_an_input_that_came_as_text_renders_as_the_one_that_was_sent(
    context: ItemContext, raw: object
) -> None:
    """Errors name the same places in the workflow's file."""
    value = drawn(raw)
    text = msgspec.json.decode(msgspec.json.encode(to_text("x", value)), type=InputText)
    again = from_text(text, LIMITS)
    assert again.place == value.place
    assert again.differs_by_item == value.differs_by_item
    assert rendered(again, context) == rendered(value, context)


CONTEXT = (
    WorkflowContext(
        {"base": "https://x", "servers": ["CANARY"] * 3, "deep": {"a": {"b": 1}, "c": "CANARY"}},
        {"limit": 3, "other": "CANARY"},
        run={"id": "r1", "started_at": "CANARY"},
        secrets={"TOKEN": "CANARY", "OTHER": "CANARY"},
    )
    .with_result("fetch", {"urls": ["u"], "body": "CANARY"})
    .with_result("unnamed", "CANARY")
    .with_result(
        "bad",
        TaskResult(
            Status.FAILED,
            error=ErrorInfo("Timeout", "slow", {"n": 1}, traceback="CANARY"),
            items=ItemCounts(3, 1, 2),
        ),
    )
)


def test_a_snapshot_holds_what_is_named_and_nothing_beside_it() -> None:
    """Of maps only the keys on the way, of a task only the parts that are read."""
    snapshot = taken(
        CONTEXT,
        "{{ parameters.base }}/{{ item.path }}?{{ index }}",
        "{{ parameters.deep.a }}",
        "{{ vars.limit }} {{ run.id }} {{ task.fetch.output.urls[0] }}",
        "{{ task.bad.error.type }} {{ task.bad.items.failed }} {{ task.bad.status }}",
        "{{ secrets.TOKEN }}",
    )
    assert content(snapshot) == {
        "parameters": {"base": "https://x", "deep": {"a": {"b": 1}}},
        "vars": {"limit": 3},
        "run": {"id": "r1"},
        "task": {
            "fetch": {"output": {"urls": ["u"]}},
            "bad": {
                "status": "failed",
                "error": {"type": "Timeout", "message": "slow", "data": {"n": 1}},
                "items": {"total": 3, "succeeded": 1, "failed": 2},
            },
        },
    }
    assert b"CANARY" not in snapshot.data
    assert snapshot.secrets == (("secrets", "TOKEN"),)


def test_nothing_is_needed_by_templates_of_the_item_alone() -> None:
    """The list that the items come from is none of their templates' business."""
    assert taken(CONTEXT, "{{ item.name }} {{ index }}", "no template").data == b"{}"


def test_a_path_takes_in_those_that_go_on_behind_it() -> None:
    """What is read as a whole somewhere is there as a whole, once."""
    snapshot = taken(CONTEXT, "{{ parameters.deep.a.b }}", "{{ parameters.deep | length }}")
    assert content(snapshot) == {"parameters": {"deep": {"a": {"b": 1}, "c": "CANARY"}}}
    assert [path for path, _ in snapshot.sizes] == [("parameters", "deep")]


def test_a_path_with_a_computed_part_takes_all_that_it_may_lead_to() -> None:
    """Only constant parts say beforehand what will be read."""
    snapshot = taken(CONTEXT, "{{ parameters.deep[item] }}", "{{ parameters.servers[0] }}")
    assert content(snapshot) == {
        "parameters": {"servers": ["CANARY"] * 3, "deep": {"a": {"b": 1}, "c": "CANARY"}}
    }


def test_a_name_that_is_not_there_is_missed_with_the_same_hint() -> None:
    """The names beside it travel, without their values."""
    value = compiled("{{ parameters.deep.aa }}")
    snapshot = take_snapshot([value], CONTEXT)
    assert content(snapshot) == {"parameters": {"deep": {"a": None, "c": None}}}
    with pytest.raises(TemplateError, match=r'no key "aa"\. Did you mean "a"') as caught:
        value.evaluate(restore(snapshot.data), None)
    assert str(caught.value) == rendered(value, CONTEXT)[1]


def test_a_task_without_a_result_is_missed_with_the_same_hint() -> None:
    """As where a template reads a task that was never reached."""
    value = compiled("{{ task.fetched.output }}")
    restored = restore(take_snapshot([value], CONTEXT).data)
    assert rendered(value, restored) == rendered(value, CONTEXT)
    assert 'Did you mean "fetch"' in rendered(value, restored)[1]


def test_a_value_that_holds_a_secret_comes_apart() -> None:
    """A secret parameter, or a variable that was made of a secret, is as secret as that."""

    def is_secret(value: object) -> bool:
        return b"CANARY" in encode(value)

    value = compiled("{{ vars.other }} {{ vars.limit }} {{ secrets.TOKEN }}")
    snapshot = take_snapshot([value], CONTEXT, is_secret=is_secret)
    assert content(snapshot) == {"vars": {"limit": 3, "other": None}}
    assert snapshot.secrets == (("secrets", "TOKEN"), ("vars", "other"))
    apart = secret_values(CONTEXT, snapshot.secrets)
    assert msgspec.json.decode(apart) == {
        "vars": {"other": "CANARY"},
        "secrets": {"TOKEN": "CANARY"},
    }
    assert value.evaluate(restore(snapshot.data, apart), None) == "CANARY 3 CANARY"


def test_a_secret_that_never_came_is_missing_and_no_null() -> None:
    """A worker without the secrets fails as a process does that has none."""
    value = compiled("{{ secrets.TOKEN }}")
    restored = restore(take_snapshot([value], CONTEXT).data)
    assert restored.secrets == {}
    with pytest.raises(TemplateError, match='there is no secret "TOKEN"'):
        value.evaluate(restored, None)
    assert secret_values(WorkflowContext(), [("secrets", "TOKEN")]) == b'{"secrets":{}}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ secrets.TOKEN }}", True),
        ("{{ vars.other }}", True),
        ("{{ vars.limit }}", False),
        ("{{ parameters }}", True),
        ("{{ parameters.deep.a }}", False),
        ("{{ task.missing.output.x }}", False),
        ("{{ item }}", False),
        ("plain", False),
    ],
)
def test_which_values_hold_a_secret_is_seen_by_what_they_name(text: str, expected: bool) -> None:
    """A template may change a secret beyond recognition, so its result says nothing."""
    is_secret: Callable[[object], bool] = lambda value: b"CANARY" in encode(value)  # noqa: E731
    assert holds_secret(compiled(text), CONTEXT, is_secret) is expected


class Paged(LazyList):
    """An output that must not be read."""

    def __len__(self) -> int:
        raise AssertionError

    def __getitem__(self, index: object) -> object:
        raise AssertionError


PAGED = CONTEXT.with_result("fan", TaskResult(Status.SUCCEEDED, output=Paged()))


@pytest.mark.parametrize("text", ["{{ task.fan.output[index] }}", "{{ task.fan.output.x }}"])
def test_an_output_that_is_read_in_pages_is_refused_and_zipping_is_suggested(text: str) -> None:
    """Its pages are in the store, which workers never reach; nothing is read to find that out."""
    with pytest.raises(TemplateError) as caught:
        take_snapshot([compiled("{{ vars.limit }}"), compiled(text)], PAGED)
    assert str(caught.value) == (
        "flow.yaml:1:3  task.fan.output is of a task with items. It is read from the store in "
        "pages, so an item's input can't name it where the item runs in another process. "
        'Zip it: with-items: {it: ..., other: "{{ task.fan.output }}"} gives item.other.'
    )


def test_other_parts_of_a_task_with_items_travel() -> None:
    """Its status is no page."""
    assert content(taken(PAGED, "{{ task.fan.status }}")) == {
        "task": {"fan": {"status": "succeeded"}}
    }


def test_a_snapshot_is_named_by_the_hash_of_its_content() -> None:
    """Equal parts of different contexts have one name, and 128 bits of it."""
    one = taken(CONTEXT, "{{ vars.limit }}")
    other = taken(CONTEXT.with_result("later", 1), "{{ vars.limit }}", "{{ item }}")
    assert (
        one.digest == other.digest == blake2b(b'{"vars":{"limit":3}}', digest_size=16).hexdigest()
    )
    assert taken(CONTEXT, "{{ run.id }}").digest != one.digest


def test_a_snapshot_that_is_too_large_names_its_largest_part_and_the_limit() -> None:
    """Its author has to know which input to change."""
    context = CONTEXT.with_result("big", {"blob": "x" * 500, "small": 1})
    snapshot = taken(context, "{{ task.big.output.blob }} {{ vars.limit }}")
    size = len(snapshot.data)
    snapshot.require_size(size, setting="limits.some_bytes")
    with pytest.raises(LimitError) as caught:
        snapshot.require_size(size - 1, setting="limits.some_bytes")
    assert caught.value.message == (
        f"the items' inputs name {size:,} bytes of the context; the limit is {size - 1:,}. "
        "The largest part, task.big.output.blob, has 502."
    )
    assert "limits.some_bytes" in caught.value.hint


def test_the_cause_of_a_run_travels() -> None:
    """As far as it is named, nulls included."""
    facts = event_facts("event", "a", "flow", 0.0, event={"named": 1, "other": 2})
    context = WorkflowContext(trigger=facts)
    snapshot = taken(context, "{{ trigger.event.named }}", "{{ trigger.events }}")
    assert content(snapshot) == {"trigger": {"event": {"named": 1}, "events": None}}
    assert restore(snapshot.data).trigger["events"] is None


def test_a_snapshot_pickles() -> None:
    """It crosses to other processes in any way."""
    snapshot = taken(CONTEXT, "{{ vars.limit }} {{ secrets.TOKEN }}")
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
