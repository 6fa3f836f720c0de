"""Invariant 13: every error says where, what and what to do, and never quotes a value."""

import pickle

import pytest
from hypothesis import given, settings
from template_strategies import contexts, expressions

from fanwise.context import WorkflowContext
from fanwise.errors import AttemptError, LimitError, Place, TemplateError, TemplateSyntaxError
from fanwise.expressions import compile_template
from fanwise.model import Limits, Status, TaskResult
from fanwise.values import freeze

PLACE = Place("flow.yaml", 14, 7)
CONTEXT = (
    WorkflowContext({"inventory": "x", "empty": None}, {"slow": 1})
    .with_result("build", {"servers": [{"name": "a"}]})
    .for_item(freeze({"name": "web", "port": 80}), 0)
)


def failure(text, context=CONTEXT, **options):
    template = compile_template(
        text, locate=lambda _text, offsets: [PLACE] * len(offsets), **options
    )
    with pytest.raises(AttemptError) as caught:
        template.evaluate(context)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{{ item.nme }}",
            'in {{ item.nme }}: item has no key "nme". Did you mean "name"?',
        ),
        (
            "{{ {'a': 1} + {'b': 2} }}",
            "in {{ {'a': 1} + {'b': 2} }}: \"+\" can't be used with a map and a map. "
            "Maps are joined by a filter: a | combine(b)",
        ),
        (
            "http://{{ item.host }}/",
            'in {{ item.host }}: item has no key "host". There is: name, port',
        ),
        (
            "{{ parameters.inventroy }}",
            'in {{ parameters.inventroy }}: parameters has no key "inventroy". '
            'Did you mean "inventory"?',
        ),
        (
            "{{ task.biuld.output }}",
            'in {{ task.biuld.output }}: task "biuld" has no result here. Did you mean "build"?',
        ),
        (
            "{{ task.build.output.servers[3].name }}",
            "in {{ task.build.output.servers[3].name }}: "
            "task.build.output.servers has no element 3.",
        ),
        (
            "{{ parameters.empty.name }}",
            "in {{ parameters.empty.name }}: parameters.empty is null. "
            "Test for it, or give a value with default().",
        ),
        (
            "{{ item.name.first }}",
            'in {{ item.name.first }}: item.name is text and has no "first".',
        ),
        (
            "{{ item.name.upper }}",
            'in {{ item.name.upper }}: "upper" is a method of text. Call it: .upper()',
        ),
        (
            "{{ item.port + 'x' }}",
            "in {{ item.port + 'x' }}: \"+\" can't be used with a number and text.",
        ),
        ("{{ 1 / 0 }}", 'in {{ 1 / 0 }}: "/" divides by zero.'),
        (
            "{{ [1] | select | length }}",
            "in {{ [1] | select | length }}: a filtered list can only be read once, "
            "from its start. Add: | list",
        ),
        (
            "a\n{% if item.x %}b{% endif %}",
            'in {% if item.x %}: item has no key "x". There is: name, port',
        ),
        (
            "{% for x in item.port %}{{ x }}{% endfor %}",
            "in {% for x in item.port %}: a number has no elements to go through.",
        ),
        (
            "{% for a, b in [[1]] %}{{ a }}{% endfor %}",
            "in {% for a, b in [[1]] %}: a list of 1 has no 2 parts to name.",
        ),
        (
            "{% set x = item.x %}{{ x }}",
            'in {{ x }}: item has no key "x". There is: name, port',
        ),
        (
            "{{ result().id }}",
            "in {{ result().id }}: result() is known only after a task, "
            "in its publish, next or retry.",
        ),
        ("{{ secrets.TOKEN }}", 'in {{ secrets.TOKEN }}: there is no secret "TOKEN".'),
    ],
)
def test_an_error_says_where_what_and_what_to_do(text, expected):
    """A message has the place, the tag, the reason, and the nearest name or remedy."""
    assert failure(text) == f"flow.yaml:14:7  {expected}"


def test_an_item_is_missed_where_there_is_none():
    """Outside a task with items, `item` says so."""
    message = failure("{{ item.name }}", WorkflowContext())
    assert 'there is no "item" here. Only a task with with-items has one.' in message


def test_a_limit_is_named():
    """An error of a limit names the setting that raises it."""
    template = compile_template("{{ 'x' * 10**9 }}", limits=Limits(template_bytes=10_000))
    with pytest.raises(LimitError) as caught:
        template.evaluate(CONTEXT)
    assert caught.value.setting == "limits.template_bytes"
    assert "10,000 bytes" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).setting == "limits.template_bytes"


def test_long_texts_are_quoted_in_one_short_line():
    """However long the template is, its error stays one line."""
    message = failure("{{ item.name\n" + " ~ 'abc'" * 60 + " ~ item.x }}")
    assert "\n" not in message
    assert len(message) < 250


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("{{ itm.a }}", 1, 4, 'there is no name "itm". Did you mean "item"?'),
        ("{{ item.a | uper }}", 1, 13, 'there is no filter "uper". Did you mean "upper"?'),
        ("{{ item.a is od }}", 1, 11, 'there is no test "od". Did you mean "odd"?'),
        ("{{ rnge(3) }}", 1, 4, 'there is no function "rnge". Did you mean "range"?'),
        ("{{ 'a'.uper() }}", 1, 7, 'there is no method "uper". Did you mean "upper"?'),
        ("{{ [1] | map('uper') }}", 1, 10, 'there is no filter "uper". Did you mean "upper"?'),
        ("{{ [1] | select('od') }}", 1, 10, 'there is no test "od". Did you mean "odd"?'),
        ("a\r\n  {{ b }}", 2, 6, 'there is no name "b". A parameter is parameters.b, and a '),
        ("{{ task.a.outptu }}", 1, 4, 'Did you mean "output"?'),
        ("{{ a b }}", 1, 6, "expected token"),
        ("{{ 1 +\n }}", 2, 2, "unexpected"),
        ("x\n{{ ? }}", 2, 4, "unexpected char '?'"),
        ("{% macro m() %}", 1, 4, '"macro" can\'t be used in a template; if, for and set can.'),
        ("{% fro x in y %}", 1, 4, 'Did you mean "for"?'),
        ("{% if 1 %}\n{{ 2 }}", 2, 6, "Unexpected end of template"),
        ("{{ 'a' | replace('b') }}", 1, 10, "missing a required argument: 'new'"),
        ("{{ [1] | map('replace', 'b') }}", 1, 10, "missing a required argument: 'new'"),
        ("{{ 'a' | upper(1) }}", 1, 10, "too many positional arguments"),
        ("{{ 'a' | center(widht=3) }}", 1, 10, "unexpected keyword argument 'widht'"),
        ("{{ [1] | sort(attribute=item.a) }}", 1, 10, "needs a constant attribute"),
        ("{{ result }}", 1, 4, '"result" is a function. Call it: result()'),
        ("{{ failed(1) }}", 1, 10, "failed() takes no arguments."),
        ("{{ loop.index }}", 1, 4, '"loop" stands for the loop around it'),
        ("{% for x in [1] %}{{ loop.idx }}{% endfor %}", 1, 22, 'Did you mean "index"?'),
    ],
)
def test_a_text_that_cannot_be_compiled_says_where(text, line, column, message):
    """Syntax and unknown names are found before anything runs, at their line and column."""
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_template(text)
    assert message in str(caught.value)
    before = text.replace("\r\n", "\n")[: caught.value.offset].split("\n")
    assert (len(before), len(before[-1]) + 1) == (line, column)


MARK = "s3cr3t"


def marked(value):
    """The value with a mark in every text, so that it shows wherever one is quoted."""
    if isinstance(value, dict):
        return {key: marked(part) for key, part in value.items()}
    if isinstance(value, list):
        return [marked(part) for part in value]
    return MARK + value if isinstance(value, str) else value


@settings(max_examples=150, deadline=None)
@given(text=expressions(), context=contexts())
def test_no_error_quotes_a_value(text, context):
    """Whatever fails, no text of the context is in the message."""
    shared = context.shared
    secret = WorkflowContext(marked(shared.parameters), marked(shared.variables)).with_result(
        "fetch", marked(shared.task_results["fetch"].output)
    )
    outcome = TaskResult(Status.SUCCEEDED, output=MARK)
    message = ""
    try:
        template = compile_template(text)
        template.evaluate(secret.for_item(marked(context.item), 3), outcome)
    except (TemplateError, LimitError, TemplateSyntaxError) as error:
        message = str(error)
    assert MARK not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "{{ {parameters.s: 1}.a }}",
        "{{ {parameters.s: 1}['a'] }}",
        "{% set made = {parameters.s: 1} %}{{ made.a }}",
        "{{ ([{parameters.s: 1}] | first).a }}",
        "{{ [{parameters.s: 1}] | map(attribute='a') | list }}",
    ],
)
def test_an_error_names_no_key_of_a_map_that_a_template_made(text):
    """Such a key may be a value, even a secret one."""
    with pytest.raises(TemplateError, match='has no key "a"') as caught:
        compile_template(text).evaluate(WorkflowContext({"s": MARK}).for_item(None, 0))
    assert MARK not in str(caught.value)
