"""Evaluating one template for many contexts, and streaming what it filters."""

import threading
from itertools import islice

import pytest
from hypothesis import given, settings
from template_strategies import contexts

from fanwise.context import WorkflowContext
from fanwise.errors import AttemptError, LimitError, TemplateError
from fanwise.expressions import compile_template
from fanwise.model import ErrorInfo, ItemCounts, Limits, Status, TaskResult
from fanwise.values import FrozenList, LazyList, freeze


class Paged(LazyList):
    """A lazy list of numbers that counts how many of them were read."""

    def __init__(self, size):
        self.size = size
        self.read = 0

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if not 0 <= index < self.size:
            raise IndexError(index)
        self.read += 1
        return index


def paged(size):
    lazy = Paged(size)
    return lazy, WorkflowContext().with_result("a", TaskResult(Status.SUCCEEDED, output=lazy))


def evaluated(text, context):
    try:
        return compile_template(text).evaluate(context)
    except AttemptError as error:
        return type(error)


PATHS = ["item.name", "item.tags", "item.items", "item.missing", "index", "item.tags[0]"]
PATHS += ["parameters.o", "parameters.d.a", "parameters.d['a']", "vars.x", "vars.x.a", "run.id"]
PATHS += ["task.fetch.output.servers[0].name", "task.bad.items.failed", "task.bad.error.message"]
PATHS += ["task.bad.status", "task.none.output", "secrets.X", "parameters.s[0]", "vars.x[0].b"]


@settings(max_examples=60, deadline=None)
@given(contexts())
def test_the_short_way_gives_what_the_long_way_gives(context):
    """A path alone, or in a text, reads as it does inside a larger expression."""
    for path in PATHS:
        assert evaluated(f"{{{{ {path} }}}}", context) == evaluated(
            f"{{{{ {path} if true else 1 }}}}", context
        )
        assert evaluated(f"<{{{{ {path} }}}}>", context) == evaluated(
            f"<{{% if true %}}{{{{ {path} }}}}{{% endif %}}>", context
        )


def test_a_value_is_given_by_reference():
    """A path gives the very object of the context, whatever its size."""
    context = WorkflowContext({"big": list(range(1000))}).for_item(freeze({"a": [1]}), 0)
    assert (
        compile_template("{{ parameters.big }}").evaluate(context)
        is (context.shared.parameters["big"])
    )
    assert compile_template("{{ item.a if index == 0 }}").evaluate(context) is context.item["a"]


def test_a_template_reads_what_a_task_left():
    """Output, status, error and items of a task are read by its name."""
    failed = TaskResult(
        Status.FAILED, error=ErrorInfo("NotFound", "gone", {"id": 7}), items=ItemCounts(5, 3, 2)
    )
    context = WorkflowContext().with_result("a", failed).with_result("b", {"x": 1})
    text = (
        "{{ [task.a.output, task.a.status, task.a.error.data.id, task.a.items.failed, "
        "task.b.output.x, task.b.status, task.b.error, task['b'].items] }}"
    )
    expected = [None, "failed", 7, 2, 1, "succeeded", None, None]
    assert compile_template(text).evaluate(context) == expected


def test_data_is_read_before_methods():
    """A key named as a method is the key, and the method can be called where there is no key."""
    context = WorkflowContext().for_item(freeze({"d": {"items": 1}, "e": {"a": 2}}), 0)
    assert compile_template("{{ item.d.items }}").evaluate(context) == 1
    assert compile_template("{{ item.e.items() }}").evaluate(context) == [["a", 2]]
    with pytest.raises(TemplateError, match="is a key of the map"):
        compile_template("{{ item.d.items() }}").evaluate(context)


def test_a_secret_can_be_read_by_name():
    """secrets.NAME reads the secret, alone and in a text."""
    context = WorkflowContext(secrets={"TOKEN": "t"})
    assert compile_template("{{ secrets.TOKEN }}").evaluate(context) == "t"
    assert compile_template("Bearer {{ secrets.TOKEN }}").evaluate(context) == "Bearer t"
    assert compile_template("{{ secrets.NO | default('-') }}").evaluate(context) == "-"


def test_texts_keep_their_line_ends():
    """The last line end of a text belongs to it."""
    assert compile_template("a {{ index }}\n").evaluate(WorkflowContext().for_item(1, 7)) == "a 7\n"
    assert compile_template("plain\n").evaluate(WorkflowContext()) == "plain\n"


def test_templates_can_be_evaluated_in_many_threads():
    """An evaluation keeps nothing in its template, so threads don't see each other's variables."""
    template = compile_template("{% for x in item %}{{ loop.index }}{{ x }}{% endfor %}")
    contexts_ = [WorkflowContext().for_item(FrozenList([n] * 50), n) for n in range(8)]
    alone = [template.evaluate(context) for context in contexts_]
    results = {}
    threads = [
        threading.Thread(
            target=lambda context=context: results.__setitem__(
                context.index, [template.evaluate(context) for _ in range(20)]
            )
        )
        for context in contexts_
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [alone[n]] * 20 for n in range(8)}


def test_a_paged_output_named_alone_is_passed_on_unread():
    """The lazy list itself comes out, of evaluate and of stream."""
    lazy, context = paged(10**9)
    template = compile_template("{{ task.a.output }}")
    assert template.evaluate(context) is lazy
    assert template.stream(context) is lazy
    assert (
        compile_template("{{ result() }}").evaluate(
            context, TaskResult(Status.SUCCEEDED, output=lazy)
        )
        is lazy
    )
    assert lazy.read == 0


def test_a_paged_output_inside_a_value_becomes_a_list():
    """Whatever else a lazy list is part of holds a frozen list in its place."""
    _, context = paged(3)
    value = compile_template("{{ {'all': task.a.output, 'some': task.a.output[1:]} }}")
    assert value.evaluate(context) == {"all": [0, 1, 2], "some": [1, 2]}
    assert type(value.evaluate(context)["all"]) is FrozenList
    assert compile_template("<{{ task.a.output }}>").evaluate(context) == "<[0, 1, 2]>"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("task.a.output | length", 5),
        ("task.a.output | select('odd') | list", [1, 3]),
        ("task.a.output | map('string') | join", "01234"),
        ("task.a.output[-1] + task.a.output[0]", 4),
        ("task.a.output | last", 4),
        ("task.a.output | first", 0),
        ("3 in task.a.output", True),
        ("task.a.output == [0, 1, 2, 3, 4]", True),
        ("[0] == task.a.output", False),
        ("task.a.output + [9]", [0, 1, 2, 3, 4, 9]),
        ("task.a.output | reverse | list", [4, 3, 2, 1, 0]),
        ("task.a.output | sort(reverse=true) | first", 4),
        ("task.a.output | sum", 10),
        ("task.a.output | tojson", "[0, 1, 2, 3, 4]"),
        ("task.a.output.count(3) + task.a.output.index(4)", 5),
        ("task.a.output is sequence and task.a.output is iterable", True),
        ("'some' if task.a.output else 'none'", "some"),
    ],
)
def test_a_paged_output_reads_as_a_list(expression, expected):
    """Operators, filters, tests and methods take a lazy list as they take a list."""
    _, context = paged(5)
    assert compile_template(f"{{{{ {expression} }}}}").evaluate(context) == expected


def test_a_stream_reads_its_list_as_it_is_consumed():
    """with-items gets its first element before the list has been read to its end."""
    lazy, context = paged(10**9)
    template = compile_template(
        "{{ task.a.output | select('odd') | map('string') | reject('eq', '3') }}"
    )
    stream = template.stream(context)
    assert lazy.read == 0
    assert list(islice(stream, 3)) == ["1", "5", "7"]
    assert lazy.read == 8


def test_a_stream_has_a_budget_for_each_element():
    """A list of any length can be streamed, though reading it at once is over the limit."""
    lazy, context = paged(20_000)
    limits = Limits(template_steps=1_000, template_bytes=10_000)
    template = compile_template("{{ task.a.output | select('odd') }}", limits=limits)
    assert sum(1 for _ in template.stream(context)) == 10_000
    assert lazy.read == 20_000
    with pytest.raises(LimitError):
        template.evaluate(context)


def test_a_stream_gives_frozen_elements():
    """Elements that a filter makes are settled one by one."""
    stream = compile_template("{{ range(5) | batch(2) | map('reverse') }}").stream(
        WorkflowContext()
    )
    elements = list(stream)
    assert elements == [[1, 0], [3, 2], [4]]
    assert {type(element) for element in elements} == {FrozenList}


def test_a_stream_of_anything_else_is_its_value():
    """What isn't filtered lazily comes as evaluate gives it."""
    context = WorkflowContext({"l": [1, 2]})
    for text in ["{{ parameters.l }}", "{{ 1 }}", "a{{ 1 }}", "{{ parameters.l | sort }}"]:
        template = compile_template(text)
        assert template.stream(context) == template.evaluate(context)


def test_a_stream_fails_at_the_element_that_fails():
    """Elements before the failing one arrive, and the error has its place."""
    context = WorkflowContext({"l": [{"a": 1}, {"b": 2}]})
    stream = compile_template("{{ parameters.l | map(attribute='a') }}").stream(context)
    assert next(stream) == 1
    with pytest.raises(TemplateError, match='an element has no key "a"'):
        next(stream)
