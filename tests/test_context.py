"""Invariants 1 and 2: a context never changes, and an item's context is three references."""

import copy
import gc
import pickle
import sys
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.context import ItemContext, WorkflowContext
from fanwise.errors import FrozenError, ResultError
from fanwise.model import Status, TaskResult
from fanwise.values import LazyList, encode, freeze

names = st.sampled_from(["a", "b", "c", "d"])
values = st.recursive(
    st.one_of(st.none(), st.integers(), st.text("ab")),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(names, inner)),
    max_leaves=5,
)
changes = st.lists(st.tuples(st.sampled_from(["result", "variables"]), names, values), max_size=8)


def view(context):
    """All that a context holds, as JSON text."""
    results = {name: [str(it.status), it.output] for name, it in context.task_results.items()}
    return encode([context.parameters, context.variables, results, context.run])


def changed(context, change):
    kind, name, value = change
    if kind == "result":
        return context.with_result(name, value)
    return context.with_variables({name: value})


@given(changes)
def test_invariant_1_no_change_reaches_a_context_that_someone_holds(steps):
    """Every context of a run keeps what it held, whatever is made from it later."""
    contexts = [WorkflowContext({"p": [1]}, {"v": {"x": 1}}, run={"id": "r"})]
    views = [view(contexts[0])]
    for step in steps:
        contexts.append(changed(contexts[-1], step))
        views.append(view(contexts[-1]))
    assert [view(context) for context in contexts] == views


@given(changes)
def test_a_new_context_shares_all_values_of_the_old_one(steps):
    """Only the top-level mappings are copied: every value is the same object."""
    context = WorkflowContext({"p": [1]}, {"v": {"x": 1}})
    for step in steps:
        new = changed(context, step)
        kind, name, _ = step
        assert new.parameters is context.parameters
        assert new.secrets is context.secrets
        assert new.run is context.run
        for key, value in context.variables.items():
            assert (kind == "variables" and key == name) or new.variables[key] is value
        for key, result in context.task_results.items():
            assert (kind == "result" and key == name) or new.task_results[key] is result
        context = new


def test_the_last_result_of_a_name_counts():
    """A task that ends again replaces its result, and sets variables keep all others."""
    context = WorkflowContext({}, {"x": 1, "y": 2}).with_result("a", 1).with_result("a", [2])
    assert context.task_results["a"].output == [2]
    assert context.with_variables({"x": 3}).variables == {"x": 3, "y": 2}
    assert context.with_variables({}) is context


def test_a_context_holds_frozen_values():
    """Whatever goes into a context can't be changed in it."""
    parameters = {"list": [1]}
    context = WorkflowContext(parameters, {"v": []}).with_result("a", {"x": []})
    parameters["list"].append(2)
    assert context.parameters == {"list": [1]}
    for shared in (context.parameters["list"], context.variables["v"]):
        with pytest.raises(FrozenError):
            shared.append(1)
    with pytest.raises(FrozenError):
        context.task_results["a"].output["x"] = 1


def test_a_task_result_is_taken_by_reference():
    """A TaskResult goes in as it is, with a lazy output unread."""

    class Unread(LazyList):
        def __len__(self):
            raise AssertionError

        __getitem__ = __len__

    result = TaskResult(Status.SUCCEEDED, output=Unread())
    assert WorkflowContext().with_result("a", result).task_results["a"] is result


def test_what_is_not_json_never_enters_a_context():
    """An error says which part of which value isn't JSON."""
    with pytest.raises(ResultError, match=r"parameters\.a is of type set"):
        WorkflowContext({"a": set()})
    with pytest.raises(ResultError, match=r"vars\.b\[0\]"):
        WorkflowContext().with_variables({"b": [b""]})
    with pytest.raises(ResultError, match=r"task\.c\.output is of type object"):
        WorkflowContext().with_result("c", object())


def test_a_context_cannot_be_assigned_to():
    """Setting or deleting a part of a context fails, and says what to do."""
    context = WorkflowContext({"a": 1})
    with pytest.raises(AttributeError, match="with_result"):
        context.parameters = {}
    with pytest.raises(TypeError):
        del context.variables
    item = context.for_item(1, 0)
    with pytest.raises(AttributeError):
        item.item = 2


@pytest.mark.parametrize("size", [0, 1_000, 100_000])
def test_invariant_2_an_item_context_is_40_bytes_for_any_context(size):
    """Three references and a header, whatever the context holds; the collector needn't look."""
    context = WorkflowContext().with_result("big", ["x"] * size)
    item = context.for_item(freeze({"a": "y" * size}), 7)
    assert sys.getsizeof(item) == 40
    assert not gc.is_tracked(item)
    assert item.shared is context
    assert item.index == 7


def test_the_shared_context_is_freed_with_the_last_item():
    """Reference counting alone frees a context: nothing refers back to it."""

    class Watched(WorkflowContext):
        __slots__ = ("__weakref__",)

    context = Watched({"a": [1]})
    watch = weakref.ref(context)
    items = [context.for_item(n, n) for n in range(3)]
    gc.disable()
    try:
        del context
        assert watch() is not None
        items.clear()
        assert watch() is None
    finally:
        gc.enable()


def test_items_are_taken_by_reference():
    """An item's context refers to the item itself."""
    value = freeze({"a": [1]})
    context = WorkflowContext()
    assert context.for_item(value, 0).item is value
    assert copy.copy(context.for_item(value, 0)).item is value
    assert context.for_item(value, 0) == ItemContext(context, value, 0)


def test_secrets_are_not_shown():
    """Printing a context, or an item's, gives away no secret."""
    context = WorkflowContext({"a": 1}, secrets={"TOKEN": "s3cr3t"})
    assert "s3cr3t" not in repr(context)
    assert "s3cr3t" not in repr(context.for_item(1, 0))


def test_a_pickled_context_has_everything_but_the_secrets() -> None:
    """A worker elsewhere sees the same values; secrets travel in another way or not at all."""
    context = WorkflowContext(
        parameters={"p": [1]}, run={"id": "r"}, secrets={"KEY": "s3cr3t"}
    ).with_result("a", {"x": 1})
    data = pickle.dumps(context)
    assert b"s3cr3t" not in data
    copy = pickle.loads(data)
    assert copy.parameters == context.parameters
    assert copy.task_results == context.task_results
    assert copy.run == context.run
    assert dict(copy.secrets) == {}
