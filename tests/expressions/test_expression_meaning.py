"""Where fanwise gives a value, Jinja2 with the same lookup rule gives it too."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from jinja2 import defaults
from jinja_reference import agree
from template_strategies import contexts, documents, expressions, outcomes

from fanwise.context import WorkflowContext
from fanwise.errors import TemplateSyntaxError
from fanwise.expressions.functions import FILTERS, FUNCTIONS, METHOD_NAMES, TESTS
from fanwise.model import ErrorInfo, Status, TaskResult

SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large]

CONTEXT = (
    WorkflowContext(
        {
            "n": -7.25,
            "words": ["pear", "Apple", "fig", "apple"],
            "numbers": [3, 1, 2, 3],
            "text": "  The quick-brown fox, (jumps)  ",
            "nested": {"b": 2, "A": 1, "items": {"c": [1, {"d": None}]}},
            "people": [
                {"name": "Ann", "city": "Bonn", "age": 30},
                {"name": "bob", "city": "bonn", "age": 25},
                {"name": "Cy", "city": "Aachen", "age": 30, "tags": ["x"]},
            ],
        }
    )
    .with_result("fetch", {"code": 200})
    .for_item({"name": "web-1", "port": 8080}, 4)
)

FILTER_EXAMPLES = """
parameters.n | abs
parameters.numbers | batch(3, 0) | list
'hELLO wORLD' | capitalize
'mid' | center(9)
parameters.words | count
item.missing | d('none')
item.missing | default('none')
'' | default('empty', true)
parameters.nested | dictsort
parameters.nested | dictsort(case_sensitive=true, reverse=true)
parameters.words | first
'1.5e3' | float
'many' | float(2.5)
'%s is %05.1f%%' | format('it', 7.25)
'%(a)s%(b)r' | format(a=1, b='x')
parameters.people | groupby('city')
parameters.people | groupby('tags.0', default='-') | map(attribute='grouper') | list
'a\\n\\nb\\n' | indent(2, first=true, blank=true)
'a\\n\\nb' | indent('> ')
'0x1f' | int(0, 16)
'42.9' | int
'x' | int(default=7)
parameters.nested | items | list
parameters.numbers | join('-')
parameters.people | join(', ', attribute='name')
parameters.words | last
parameters.nested | length
'abc' | list
'SHOUT' | lower
parameters.people | map(attribute='tags', default=[]) | list
parameters.words | map('upper') | list
parameters.words | map('replace', 'p', 'b') | join
parameters.numbers | max
parameters.people | max(attribute='age')
parameters.words | min
parameters.words | min(case_sensitive=true)
parameters.numbers | reject('odd') | list
parameters.people | rejectattr('tags', 'defined') | list
'a.b.c' | replace('.', '-', 1)
parameters.numbers | reverse | list
'abc' | reverse
parameters.n | round
parameters.n | round(1, 'floor')
parameters.numbers | select('gt', 1) | list
parameters.people | selectattr('age', 'ge', 30) | map(attribute='name') | list
range(7) | slice(3, 'fill') | list
parameters.words | sort
parameters.people | sort(attribute='age,name', reverse=true) | map(attribute='name') | list
parameters.nested | string
parameters.numbers | sum
parameters.people | sum(attribute='age', start=0.5)
"it's the quick-brown fox" | title
{'b': [1, 2.5, none], 'a': '<é>'} | tojson
{'b': [1], 'a': {}} | tojson(indent=2)
parameters.text | trim
'xxaxx' | trim('x')
'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)
'foo bar baz qux' | truncate(11, false, '..', 0)
parameters.words | unique | list
parameters.words | unique(case_sensitive=true) | list
parameters.people | unique(attribute='city') | map(attribute='name') | list
'shout' | upper
'a b/c&d=é' | urlencode
{'a b': 'c/d', 'e': 1} | urlencode
parameters.text | wordcount
'the quick-brown foxes jumped' | wordwrap(9)
""".strip().splitlines()

TEST_EXAMPLES = """
true is boolean
item.missing is defined
item.name is not defined
12 is divisibleby 5
1 is eq 1.0
1 is equalto(2)
2 is even
false is false
1.5 is float
2 is ge 2
2 is greaterthan 1
2 is gt 1
'a' is in 'abc'
3 is integer
item is iterable
1 is le 1
1 is lessthan 2
'abc' is lower
1 is lt 2
item is mapping
1 is ne 2
none is none
[1, 2, 3] | select('==', 2) | list
[1, 2, 3] | select('!=', 2) | list
[1, 2, 3] | select('<', 2) | list
[1, 2, 3] | select('<=', 2) | list
[1, 2, 3] | select('>', 2) | list
[1, 2, 3] | select('>=', 2) | list
1.5 is number
3 is odd
'abc' is sequence
'abc' is string
1 is true
item.missing is undefined
'ABC' is upper
""".strip().splitlines()

METHOD_EXAMPLES = """
'aBc'.capitalize()
'Straße'.casefold()
'a'.center(5, '*')
'banana'.count('an')
[1, 2, 1].count(1)
'abc'.endswith('bc')
'abcb'.find('b', 2)
'{} {:>5} {name!r}'.format(1, 2.5, name='x')
item.get('missing', 3)
'abc'.index('c')
[3, 4].index(4)
'a1'.isalnum()
'a1'.isalpha()
'é'.isascii()
'12'.isdecimal()
'1²'.isdigit()
'aB'.islower()
'½'.isnumeric()
' '.isspace()
'A Title'.istitle()
'ABC'.isupper()
item.items() | list
', '.join(['a', 'b'])
item.keys() | list
'a'.ljust(3, '.')
'ABC'.lower()
'xxa'.lstrip('x')
'a=b=c'.partition('=')
'prefix-a'.removeprefix('prefix-')
'a.txt'.removesuffix('.txt')
'aXbX'.replace('X', '-')
'abcb'.rfind('b')
'abcb'.rindex('b')
'a'.rjust(3)
'a=b=c'.rpartition('=')
'a b c'.rsplit(' ', 1)
'a  '.rstrip()
'a,b,c'.split(',', 1)
' a  b '.split()
'a\\nb\\r\\nc'.splitlines()
'abc'.startswith('ab')
' a '.strip()
'aB'.swapcase()
'they are'.title()
'abc'.upper()
item.values() | list
'-7'.zfill(4)
""".strip().splitlines()

OTHER_EXAMPLES = """
dict(item, name='b')
dict([['a', 1]], b=2)
range(2, 9, 3) | list
range(3)[1]
(7 / 2, 7 // 2, -7 // 2, 7 % 3, -7 % 3, 2 ** 8, 2 ** -1, 2 ** 0.5)
1 + 2 * 3 - -4
'a' + 'b' ~ 1 ~ none ~ [1, 'x']
[1] + [2] * 2
'ab' * 2
'%s-%03d' % ('a', 7)
1 < 2 <= 2 != 3
2 in [1, 2] and 'x' not in 'abc'
item.name if index > 3 else 'few'
[parameters.text[2:5], parameters.numbers[::-1], parameters.words[-1], (1, 2, 3)[1]]
parameters.nested.items.c[1].d
parameters.nested['items']['c'][0]
item.port | string ~ '/' ~ task.fetch.output.code
none or [] or 'last'
not item.missing is defined
[item.missing is defined, item.name is defined]
{'a': 1, 'b': [1, 2]}
task.fetch.status
""".strip().splitlines()


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(text=expressions(), context=contexts(), outcome=outcomes)
def test_an_expression_means_what_it_means_in_jinja2(text, context, outcome):
    """Any expression that fanwise evaluates has the value, and the type, that Jinja2 gives it."""
    with suppress(TemplateSyntaxError):  # It may have an argument that the table doesn't take.
        agree(text, context, outcome)


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(text=documents(), context=contexts(), outcome=outcomes)
def test_a_text_with_statements_means_what_it_means_in_jinja2(text, context, outcome):
    """Any text with if, for and set that fanwise evaluates is the text that Jinja2 makes."""
    with suppress(TemplateSyntaxError):
        agree(text, context, outcome)


@pytest.mark.parametrize(
    "expression", [*FILTER_EXAMPLES, *TEST_EXAMPLES, *METHOD_EXAMPLES, *OTHER_EXAMPLES]
)
def test_every_function_gives_what_jinja2_gives(expression):
    """Each filter, test and method gives a value, and it is Jinja2's."""
    assert agree(f"{{{{ {expression} }}}}", CONTEXT) is not ...


def test_the_examples_cover_the_whole_table():
    """No filter, test, function or method of Jinja2 is in the table without an example."""
    filters = {name for name in FILTERS if any(f"| {name}" in it for it in FILTER_EXAMPLES)}
    tests = {
        name
        for name in TESTS
        if any(f" is {name}" in it or f"select('{name}'" in it for it in TEST_EXAMPLES)
    }
    methods = {name for name in METHOD_NAMES if any(f".{name}(" in it for it in METHOD_EXAMPLES)}
    assert filters == FILTERS.keys() & defaults.DEFAULT_FILTERS
    assert tests == TESTS.keys() & defaults.DEFAULT_TESTS
    assert methods == set(METHOD_NAMES)
    assert set(FUNCTIONS) == {"dict", "range"}


@pytest.mark.parametrize(
    "text",
    [
        "{% for n in parameters.numbers if n > 1 %}{{ loop.index }}/{{ loop.length }} {% endfor %}",
        "{% for n in [] %}x{% else %}none{% endfor %}",
        "{% for k, v in parameters.nested.items.items() %}{{ k }}{% endfor %}",
        "{% for a, (b, c) in [(1, (2, 3))] %}{{ a + b + c }}{% endfor %}",
        "{% for n in parameters.numbers %}{{ loop.previtem | default('-') }}{{ n }}"
        "{{ loop.nextitem | default('-') }}{{ loop.revindex }}{{ loop.cycle('a', 'b') }}"
        "{{ loop.changed(n > 1) }}{% endfor %}",
        "{% for a in [1, 2] %}{% for b in [3, 4] %}{{ loop.index0 }}{% endfor %}"
        "{{ loop.last }}{% endfor %}",
        "{% set x = 1 %}{% for n in [5, 6] %}{{ x }}{% set x = n %}{{ x }}{% endfor %}{{ x }}",
        "{% for n in [true, false] %}{% if n %}{% set x = 1 %}{% endif %}{{ x is defined }}"
        "{% endfor %}",
        "{% set a, b = 'pq' | list, 2 %}{{ a }}{{ b }}",
        "{% set page %}<{{ item.name }}>{% endset %}{{ page | upper }}",
        "{% if index > 9 %}a{% elif index > 3 %}b{% else %}c{% endif %}",
        "a {{- 1 -}} b {#- gone -#} c\n",
        "{% raw %}{{ not a template }}{% endraw %}{{ 1 }}",
        "{% for item in parameters.people %}{{ item.name }},{% endfor %}{{ item.name }}",
    ],
)
def test_statements_do_what_they_do_in_jinja2(text):
    """Loops, conditions, variables and white space control work as in Jinja2."""
    assert agree(text, CONTEXT) is not ...


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (TaskResult(Status.SUCCEEDED, output="r"), ["r", None, True, False, False, False]),
        (TaskResult(Status.SKIPPED), [None, None, False, False, False, True]),
        (
            TaskResult(Status.FAILED, error=ErrorInfo("Timeout", "late")),
            [None, "Timeout", False, True, True, False],
        ),
        (
            TaskResult(Status.FAILED, error=ErrorInfo("Other", "late")),
            [None, "Other", False, True, False, False],
        ),
    ],
)
def test_the_outcome_of_a_task_can_be_asked_for(outcome, expected):
    """result(), error() and their like read the outcome that the template is given."""
    text = (
        "{{ [result(), error().type if error() else none, "
        "succeeded(), failed(), timed_out(), skipped()] }}"
    )
    assert agree(text, CONTEXT, outcome) == expected
