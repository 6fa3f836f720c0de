"""Invariant 8: a template computes, it never acts. Invariant 9: a value is never a template."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.context import WorkflowContext
from fanwise.definition import has_template
from fanwise.errors import LimitError, TemplateError, TemplateSyntaxError
from fanwise.expressions import compile_template
from fanwise.model import Limits
from fanwise.values import FrozenDict, FrozenList, decode, encode, freeze

CONTEXT = (
    WorkflowContext({"big": "x" * 1_000_000, "list": list(range(1000)), "code": "{0.__class__}"})
    .with_result("fetch", {"k": 1})
    .for_item(freeze({"a": 1, "d": {"k": "v"}}), 0)
)
PIECES = ["{{", "}}", "{%", "%}", "{#", "#}", "if", "else", "endif", "for", "in", "endfor", "set"]
PIECES += ["=", "+", "-", "*", "**", "(", ")", "[", "]", "{", "}", ",", ":", "|", ".", "~", "\n"]
PIECES += ["1", "2.5", "'a'", "item", "x", "loop", "index", "range", "not", "and", "is", "odd", "a"]
PIECES += ["default", "upper", "raw", "endraw"]
SMALL = Limits(template_steps=100_000, template_bytes=1_000_000)


def doublings(start: str, step: str, count: int = 60) -> str:
    return f"{{% set x = {start} %}}" + f"{{% set x = {step} %}}" * count


OVER_A_LIMIT = [
    "{{ '%9999999999d' % 1 }}",
    "{{ '%.9999999999f' % 1.5 }}",
    "{{ '%(a)9999999999s' % {'a': 1} }}",
    "{{ '%9999999999s' | format('x') }}",
    "{{ '{:>9999999999}'.format(1) }}",
    "{{ '{:.9999999999f}'.format(1.5) }}",
    "{{ 'x' * 10**10 }}",
    "{{ 10**10 * 'x' }}",
    "{{ [1] * 10**10 }}",
    "{{ (1, 2) * 10**10 }}",
    "{{ range(10**12) | list }}",
    "{{ range(10**12) }}",
    "{{ range(10**12) | sum }}",
    "{{ range(10**12) | sort }}",
    "{{ range(10**12) | join }}",
    "{{ range(10**12) | max }}",
    "{{ range(10**12) | select('odd') | list }}",
    "{{ range(10**12) | map('string') | list }}",
    "{{ range(10**12) | unique | list }}",
    "{{ range(10**12) | batch(1000) | list }}",
    "{{ 1.5 in range(10**12) }}",
    "{{ range(10**12) | reverse | list }}",
    "{% for a in range(10**9) %}{% endfor %}",
    "{% for a in range(10**9) if false %}{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}{{ a }}{% endfor %}{% endfor %}",
    "{% for a in range(999) %}{{ parameters.big }}{% endfor %}",
    "{% for a in range(10**6) %}{{ loop.last }}{% endfor %}",
    "{% set page %}{% for a in range(999) %}{{ parameters.big }}{% endfor %}{% endset %}",
    "{{ parameters.list | join(parameters.big) }}",
    "{{ parameters.big.join(['a'] * 999) }}",
    "{{ parameters.big ~ parameters.big }}",
    "{{ parameters.big | replace('x', 'xyz') }}",
    "{{ parameters.big.replace('', 'xyz') }}",
    "{{ ('a\n' * 9999) | indent(10000) }}",
    "{{ 'a' | center(10**10) }}",
    "{{ 'a'.ljust(10**10) }}",
    "{{ 'a'.zfill(10**10) }}",
    "{{ parameters.big.split('x') | length }}",
    "{{ ('a ' * 99999).split() | length }}",
    "{{ ('a\n' * 99999).splitlines() | length }}",
    "{{ ('a ' * 200000) | wordcount }}",
    "{{ ([parameters.big] * 999) | sort | length }}",
    "{{ ([parameters.big] * 999) | max | length }}",
    "{{ ([parameters.big] * 999) | unique | list | length }}",
    "{{ ([{'a': parameters.big}] * 999) | groupby('a') | length }}",
    "{{ ([parameters.big] * 999) | map('title') | list | length }}",
    "{{ parameters.big | list | length }}",
    "{{ parameters.big | upper }}",
    "{{ parameters.big | urlencode }}",
    "{{ parameters.big | wordwrap(2) }}",
    "{{ ('-' * 99999) | wordwrap(5) }}",
    "{{ parameters.big.rfind('y' * 999) }}",
    "{{ parameters.list | batch(10**10, 0) | list }}",
    "{{ parameters.list | slice(10**10) | list }}",
    "{{ ([parameters.big] * 99) | join }}",
    "{{ range(999) | map(attribute='" + "0." * 999 + "0', default=0) | list }}",
    "{{ range(999) | map('string') | list | sort(attribute='" + "0," * 999 + "0') }}",
    "{{ range(999) | map('string') | groupby('" + "0." * 999 + "0', default='0') }}",
    "{% for a in range(9999) %}{% if ('7' * 4000) | int %}{% endif %}{% endfor %}",
    "{% set a = 7 ** 2000 %}{% for b in range(9999) %}{% if a * a %}{% endif %}{% endfor %}",
    "{% set a = 7 ** 4000 %}{% for b in range(9999) %}{% if a ~ '' %}{% endif %}{% endfor %}",
    "{% set a = 7 ** 4000 %}{{ [a] * 9999 }}",
    "{% for a in range(9999) %}" + "{% if 1 and 1 and 1 %}{% endif %}" * 99 + "{% endfor %}",
    "{{ (' ' * 9999) | wordwrap(5) }}",
    "{% set a = 'x' * 2000 %}{% for b in range(999) %}{{ a.find('x' * 999 ~ 'y') }}{% endfor %}",
    "{% set a = 'x' * 2000 %}{% for b in range(999) %}{{ ('x' * 999 ~ 'y') in a }}{% endfor %}",
    "{{ range(10**5) | product(range(10**5)) | list }}",
    "{{ range(10**9) | zip(range(10**9)) | list }}",
    "{{ ('[' ~ '[],' * 99999 ~ '1]') | fromjson }}",
    "{{ parameters.big | regex_findall('x*y|x') | length }}",
    "{{ parameters.big | regex_replace('', 'xyz') }}",
    "{{ parameters.big | regex_search('(x|xx)*x(x|xx){99}y') }}",
    "{{ parameters.list | map('regex_search', '[a-z]{1000}') | list }}",
    "{{ range(10**5) | map('date') | list }}",
    doublings("{'a': 1}", "{'a': x, 'b': x}") + "{{ x | combine(x, recursive=true) }}",
    doublings("[1, 1]", "[x, x]") + "{{ x }}",
    doublings("[1, 1]", "[x, x]") + "{{ x | tojson }}",
    doublings("[1, 1]", "[x, x]") + "{{ x == [[x[0], x[1]], x[1]] }}",
    doublings("[1, 1]", "[x, x]") + "{{ '%s' % [x] }}",
    doublings("[1, 1]", "[x, x]") + "{{ [x, x] | sort }}",
    doublings("[1, 1]", "[x, x]") + "{{ x in [x, x] }}",
    doublings("{'a': 1}", "{'a': x, 'b': x}") + "{{ x | string }}",
    doublings("'ab'", "x + x") + "{{ x }}",
    doublings("'ab'", "x ~ x") + "{{ x }}",
    doublings("[1]", "x + x") + "{{ x | length }}",
]

REFUSED = [
    "{{ 10 ** (10 ** 10) }}",
    "{{ 2 ** 20000 }}",
    "{{ -9 ** 0.5 }}",
    doublings("9", "x * x") + "{{ x }}",
    "{{ range(10**30) | length }}",
    "{{ (parameters.big * 1) | int }}",
    "{{ ('9' * 9999) | float }}",
    "{{ ('f' * 99999) | int(0, 16) }}",
    "{{ 5 | round(-10**9) }}",
    "{{ 1.5 | round(10**9) }}",
    "{{ {'a': 1} | tojson(indent=10**9) }}",
    "{{ '%*d' % (9999999999, 1) }}",
    "{{ '{:{}}'.format(1, 9999999999) }}",
    doublings("[1]", "[x]", 900) + "{{ x }}",
    "{{ 1e308 * 10 }}",
    "{{ '\\ud800' }}",
    "{{ '\\x00' }}",
    "a {{ '\\x00' }}",
    "{{ {1: 2} }}",
    "{{ {(1, 2): 3} }}",
    "{% set a = {(2**61 - 1): 1} %}",
    "{{ dict([[2.0**70, 1]]) | length }}",
    "{{ range(2**64) | first }}",
    "{{ parameters.big | regex_search('.{999}' * 99) }}",
    "{{ ('1e999') | fromjson }}",
    "{{ ('[' * 999 ~ ']' * 999) | fromjson }}",
    "{{ '\"\\\\u0000\"' | fromjson }}",
]

OUT_OF_REACH = [
    "{{ ''.__class__ }}",
    "{{ item.__class__.__mro__ }}",
    "{{ item['__class__'] }}",
    "{{ item.d.__init__ }}",
    "{{ parameters.__class__ }}",
    "{{ parameters.list.append(1) }}",
    "{{ parameters.list.sort() }}",
    "{{ item.pop('a') }}",
    "{{ item.update({'a': 2}) }}",
    "{{ item.get.__self__ }}",
    "{{ item.items.__globals__ }}",
    "{{ (parameters.list | map('string')).gi_frame }}",
    "{{ range.__class__ }}",
    "{{ range(3).__class__ }}",
    "{{ result.__globals__ }}",
    "{{ loop }}",
    "{% for i in [1] %}{{ loop }}{% endfor %}",
    "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for i in [1] %}{{ loop.elements }}{% endfor %}",
    "{{ self }}",
    "{{ cycler }}",
    "{{ namespace() }}",
    "{{ lipsum() }}",
    "{{ dict.fromkeys([1]) }}",
    "{{ open('/etc/passwd') }}",
    "{{ item | attr('a') }}",
    "{{ [item] | map('attr', '__class__') | list }}",
    "{{ [item] | map(attribute='__class__') | list }}",
    "{{ [1] | sort(attribute='__class__') }}",
    "{{ '{0.__class__}'.format(item) }}",
    "{{ '{0[a]}'.format(item) }}",
    "{{ '{a.__class__}'.format(a=item) }}",
    "{{ parameters.code.format(item) }}",
    "{{ '{0}'.format_map(item) }}",
    "{{ '%(a.b)s' % {'a': 1} }}",
    "{{ 'a'.encode() }}",
    "{{ 'a'.maketrans('a', 'b') }}",
    "{{ task.fetch.__class__ }}",
    "{{ task.fetch }}",
    "{{ task }}",
    "{{ task[item.a].output }}",
    "{{ secrets }}",
    "{{ secrets[item.a] }}",
    "{{ item(1) }}",
    "{{ 'a'('b') }}",
    "{{ (item.get)('a') }}{{ item.get('a')() }}",
    "{{ '%s' | format(*item) }}",
    "{{ range(**item) }}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    "{% block x %}{% endblock %}",
    "{% macro x() %}{% endmacro %}",
    "{% call x() %}{% endcall %}",
    "{% filter upper %}{% endfilter %}",
    "{% with x = 1 %}{% endwith %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% do item.clear() %}",
    "{% print item %}",
    "{% trans %}{% endtrans %}",
    "{% break %}",
    "{% set item.a = 1 %}",
    "{% set x | upper %}a{% endset %}",
    "{% set item = 1 %}",
    "{% set range = 1 %}",
    "{% for loop in [1] %}{% endfor %}",
    "{% for x in [1] recursive %}{% endfor %}",
]


@pytest.mark.parametrize("text", OVER_A_LIMIT, ids=lambda text: text[-60:])
def test_no_template_takes_more_than_its_limits(text):
    """Work without bound is refused with the limit's name, before it is done."""
    with pytest.raises(LimitError) as caught:
        compile_template(text, limits=SMALL).evaluate(CONTEXT)
    assert caught.value.setting in ("limits.template_steps", "limits.template_bytes")
    assert caught.value.setting in str(caught.value)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[-60:])
def test_what_json_cannot_carry_is_refused(text):
    """Numbers that nobody could print, and values that aren't JSON, never leave a template."""
    with pytest.raises(TemplateError):
        compile_template(text, limits=SMALL).evaluate(CONTEXT)


@pytest.mark.parametrize("text", OUT_OF_REACH)
def test_no_template_reaches_python(text):
    """No attribute, object or construct beyond the grammar and the table can be used."""
    with pytest.raises((TemplateSyntaxError, TemplateError)):
        compile_template(text, limits=SMALL).evaluate(CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "[" * 5000 + "]" * 5000 + " }}",
        "{{ " + "not " * 5000 + "1 }}",
        "{{ " + "-" * 5000 + "1 }}",
        "{{ 1" + " + 1" * 10_000 + " }}",
        "{{ 1" + " and 1" * 10_000 + " }}",
        "{{ 1" + " if 1 else 1" * 5000 + " }}",
        "{{ item.a" + " | string" * 10_000 + " }}",
        "{{ item" + ".a" * 10_000 + " }}",
        "{{ item" + "[index]" * 10_000 + " }}",
        "{{ item" + ".get('a')" * 5000 + " }}",
        "{{ 1" + " is odd" * 5000 + " }}",
        "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
        "{% for x in [] %}" * 3000 + "{% endfor %}" * 3000,
        "{% set " + "(" * 3000 + "x" + ")" * 3000 + " = 1 %}",
        "{{ " + "9" * 5000 + " }}",
        "{{ 0x" + "f" * 50_000 + " }}",
        "x" * 100_001 + "{{ 1 }}",
    ],
    ids=lambda text: text[:20],
)
def test_texts_that_are_nested_or_long_without_measure_are_errors(text):
    """Depth and length are bounded before anything recurses."""
    with pytest.raises(TemplateSyntaxError):
        compile_template(text)


@pytest.mark.parametrize(
    "unit",
    [
        "{%",
        "{#",
        "{{",
        "{% raw %}",
        "{{ '",
        '{{ "\\',
        "{{ 1_",
        "{{ 1e",
        "{%-   ",
        "-}}",
        "{{ a",
        "}",
    ],
)
def test_long_broken_texts_are_read_in_linear_time(unit):
    """The lexer comes to an end on the longest text that it is given, whatever it repeats."""
    text = unit * (100_000 // len(unit))
    with suppress(TemplateSyntaxError):
        compile_template(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_any_text_compiles_or_is_a_syntax_error(text):
    """Whatever the text, nothing but fanwise's own errors comes out of it."""
    try:
        value = compile_template(text, limits=SMALL).evaluate(CONTEXT)
    except (TemplateSyntaxError, TemplateError, LimitError):
        return
    assert decode(encode(value)) == value


@pytest.mark.parametrize("holder", ["{{ item.t }}", "<{{ item.t }}>", "{{ item.t ~ '' }}"])
def test_invariant_9_a_value_is_never_a_template(holder):
    """Text that looks like a template is data, wherever it comes from."""
    data = "{{ 1 + 1 }}{% for x in y %}{# c #}"
    context = WorkflowContext().for_item({"t": data}, 0)
    assert data in compile_template(holder).evaluate(context)
    assert compile_template("{{ item.t | upper }}").evaluate(context) == data.upper()


def test_what_a_template_gives_is_frozen():
    """Lists and maps that a template makes can be shared as they are."""
    value = compile_template("{{ {'a': [1, (2, 3)], 'b': item} }}").evaluate(CONTEXT)
    assert type(value) is FrozenDict
    assert type(value["a"]) is FrozenList
    assert type(value["a"][1]) is FrozenList
    assert value["b"] is CONTEXT.item


def test_errors_of_values_are_never_python_errors():
    """Operators and functions that get the wrong kind of value fail as template errors."""
    kinds = ["1", "'a'", "none", "[]", "{}", "[1] | select", "item.missing", "range(2)"]
    operations = ["{0} + {1}", "{0} < {1}", "{0} in {1}", "({0}) | join({1})", "({0})[{1}]"]
    operations += ["({0}) | center({1})", "({0}) | round({1})", "({0}) | replace({1}, {1})"]
    for operation in operations:
        for first in kinds:
            for second in kinds:
                text = "{{ " + operation.format(first, second) + " }}"
                template = compile_template(text, limits=SMALL)
                with suppress(TemplateError, LimitError):
                    template.evaluate(CONTEXT)


def test_a_text_knows_whether_it_holds_a_template():
    """Expressions, statements and comments count; single braces don't."""
    assert [has_template(text) for text in ["{{ a }}", "{% if", "{# c #}"]] == [True] * 3
    assert [has_template(text) for text in ["", "{ a }", "}}", "100 %}"]] == [False] * 4
