"""A template knows which names it uses, so that only what is named travels."""

import pytest

from fanwise.expressions import compile_template

COMPOSED = ["item.a", "vars.b", "index", "run.id"]


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("plain", []),
        ("{{ item.url }}", ["item.url"]),
        ("{{ item['url'].host }}", ["item.url.host"]),
        ("{{ item.hosts[0].name }}", ["item.hosts"]),
        ("{{ item[parameters.key].name }}", ["item", "parameters.key"]),
        ("{{ item.tags.items() }}", ["item.tags"]),
        ("{{ item.tags | map(attribute='x') | list }}", ["item.tags"]),
        ("{{ index }}/{{ run.id }}", ["index", "run.id"]),
        ("{{ parameters }}{{ vars.slow }}", ["parameters", "vars.slow"]),
        ("{{ secrets.TOKEN }}", ["secrets.TOKEN"]),
        ("{{ task.a.output.servers }}", ["task.a.output.servers"]),
        ("{{ task['a']['output'].b }}", ["task.a.output.b"]),
        ("{{ task.a.items.total + task.b.status }}", ["task.a.items.total", "task.b.status"]),
        ("{{ task.a.error.type if task.a.error }}", ["task.a.error", "task.a.error.type"]),
        ("{% if vars.x %}{% set y = item.a %}{{ y.b }}{% endif %}", ["vars.x", "item.a"]),
        ("{% for s in task.a.output %}{{ s.x }}{{ loop.index }}{% endfor %}", ["task.a.output"]),
        ("{% for item in vars.l %}{{ item.x }}{% endfor %}", ["vars.l"]),
        ("{{ {'k': item.a}.k ~ [vars.b][0] ~ (index if run.id else 1) }}", COMPOSED),
        ("{{ '{{ item.a }}' }}{% raw %}{{ item.b }}{% endraw %}{# {{ item.c }} #}", []),
        (
            "{{ 'a' | replace(vars.old, vars.new) }}{{ 1 is eq vars.n }}",
            ["vars.old", "vars.new", "vars.n"],
        ),
    ],
)
def test_references_are_the_constant_paths(text, references):
    """Every path is named as far as it is constant; variables of the template's own aren't."""
    found = compile_template(text).references
    assert found.keys() == {tuple(path.split(".")) for path in references}


def test_functions_are_those_that_read_an_outcome():
    """A template says which of result(), error() and the like it calls."""
    template = compile_template("{{ succeeded() and result().code in range(3) or timed_out() }}")
    assert template.functions.keys() == {"succeeded", "result", "timed_out"}
    assert not template.references


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ item.a }}", True),
        ("  {{ item.a }}\n", True),
        ("{{- 1 -}}", True),
        ("{{ 'text' }}", True),
        ("{# why #}{{ 1 }}", True),
        ("{{ 1 }}{{ 2 }}", False),
        ("a {{ 1 }}", False),
        ("{% if 1 %}{{ 1 }}{% endif %}", False),
        ("{% set x = 1 %}{{ x }}", False),
        ("{% raw %}{{ 1 }}{% endraw %}", False),
        ("", False),
        ("  ", False),
    ],
)
def test_only_a_sole_expression_keeps_its_type(text, expected):
    """One expression with nothing but white space around it is a value, all else is text."""
    assert compile_template(text).is_expression is expected
