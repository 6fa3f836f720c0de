"""Places of characters within texts of a YAML file."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fanwise.context import WorkflowContext
from fanwise.definition import load
from fanwise.definition.yaml.spots import spots_within
from fanwise.errors import TemplateError
from fanwise.model import Limits
from fanwise.plan import compile_plan
from fanwise.plan.snapshot import from_text, to_text

words = st.lists(
    st.sampled_from(["{{ a }}", "{{ b }}", "it's", 'a "quote"', "|", "\\n", "é", "\n", "\n\n  x"]),
    min_size=1,
    max_size=30,
)


@given(words, st.sampled_from([None, "|", ">", "'", '"']), st.integers(10, 60))
def test_a_tag_is_found_where_it_stands_in_any_style(parts, style, width):
    """Quotes, blocks, folding and escapes move a text's characters, and each is found."""
    text = " ".join(parts)
    file = yaml.dump({"k": {"t": text}}, default_style=style, width=width, allow_unicode=True)
    node = yaml.compose(file).value[0][1].value[0][1]
    lines = file.splitlines()
    spot = (node.start_mark.line + 1, node.start_mark.column + 1)
    offsets = [match.start() for match in re.finditer("{{", text)]
    stand = [
        (number, match.start() + 1)
        for number, line in enumerate(lines, 1)
        for match in re.finditer("{{", line)
    ]
    found = list(spots_within(lines, spot, text, offsets))
    if text.startswith("{{") and lines[spot[0] - 1][spot[1] - 1] in "'\"":
        stand[0] = spot  # the start of a text in quotes is told by its quote
    assert found == stand


STYLES = """\
parameters: {x: {default: {}}}
tasks:
  - name: a
    action: core.echo
    input:
      block: |
        first
        then {{ parameters.x.y }}
      folded: >-
        first
        second

        then {{ parameters.x.y }}
      quoted: "first \\"a\\"
        then {{ parameters.x.y }}"
      plain: first
        then {{ parameters.x.y }}
"""


@pytest.mark.parametrize(
    ("name", "place"),
    [("block", "8:14"), ("folded", "13:14"), ("quoted", "15:14"), ("plain", "17:14")],
)
def test_an_error_at_run_time_names_the_line_of_its_tag(name, place):
    """The place is that of `validate`, also where the template has travelled as text."""
    plan = compile_plan(load(STYLES, file="flow.yaml"), None)
    [value] = [entry.value for entry in plan.tasks[0].inputs if entry.name == name]
    for each in (value, from_text(to_text(name, value), Limits())):
        with pytest.raises(TemplateError, match=f"flow.yaml:{place} "):
            each.evaluate(WorkflowContext({"x": {}}), None)
