"""Scripts: braces are the shell's, and a tag that names something of a run is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.errors import TemplateSyntaxError
from fanwise.expressions import compile_template, script_text, template_in

OF_THE_SHELL = [
    'echo "${#NAME}" "${#list[@]}" ${x%%.*}',
    "docker ps --format '{{.Names}}'",
    "docker inspect -f '{{ index .Config.Env 0 }} {{json .}} {{ range .Mounts }}{{end}}'",
    "printf '{% x %}' {#}",
    "awk '{if (a) {{ print }}}' {{}} {{ }}",
    "{% raw %}{{ item.host }}{% endraw %}",
    "{%- raw -%}{{ task.a.output }}{%- endraw -%}",
    "{{ item",
    "{% if item %",
]


@pytest.mark.parametrize("script", OF_THE_SHELL)
def test_braces_that_name_nothing_of_a_run_are_the_shells(script: str) -> None:
    """Neither `${#x}` nor the templates of other tools are fanwise's."""
    assert template_in(script) is None


@pytest.mark.parametrize(
    ("script", "offset", "tag"),
    [
        ("ping {{ item.host }}", 5, "{{ item.host }}"),
        ("x\n{{ 'a' if vars.b else task.c.output | nosuch }}", 2, None),
        ("{%- if parameters.x -%}a{% endif %}", 0, "{%- if parameters.x -%}"),
        ("{% for host in vars.hosts %}{% endfor %}", 0, "{% for host in vars.hosts %}"),
        ("{{.Names}} {{result().x}}", 11, "{{result().x}}"),
        ("{% raw %}{{ item }}{% endraw %}{{ run.id }}", 31, "{{ run.id }}"),
        ("{{ secrets.KEY }}", 0, "{{ secrets.KEY }}"),
        ("{% raw %}{{ item }}", 9, "{{ item }}"),
    ],
)
def test_a_tag_that_names_something_of_a_run_is_found(script, offset, tag) -> None:
    """Also with a filter that doesn't exist; what is raw is never looked at."""
    found = template_in(script)
    assert found is not None
    assert found[0] == offset
    assert tag is None or found[1] == tag


def test_the_tags_around_raw_parts_are_taken_away() -> None:
    """As in a template; all else stays, also a tag that has no other."""
    assert script_text("a {% raw %}{{ item }}{% endraw %} b") == "a {{ item }} b"
    assert script_text("{% endraw %}{% raw %}x") == "{% endraw %}{% raw %}x"


@pytest.mark.parametrize("text", ["echo ${#x}", "docker ps --format {{.Names}}"])
def test_a_template_that_is_text_of_another_language_is_told_of_raw(text: str) -> None:
    """Such as an argument of a command, which is a template."""
    with pytest.raises(TemplateSyntaxError, match=r"between \{% raw %\} and \{% endraw %\}"):
        compile_template(text)


@given(st.text(alphabet="{}%#.$ -aitem\n", max_size=200))
def test_a_script_without_raw_parts_stands_as_it_is_written(script: str) -> None:
    """Whatever its braces mean to the shell."""
    assert script_text(script) == script
    found = template_in(script)
    assert found is None or script[found[0] :].startswith(found[1])
