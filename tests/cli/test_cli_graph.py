"""`fanwise graph` and `fanwise schema`: workflows as others draw and check them."""

import html
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.cli.text.dot import dot_lines
from fanwise.cli.text.mermaid import mermaid_lines
from fanwise.drawings.picture import Arrow, Ending, Node, Picture, Shape, short_forms

FLOW = """\
tasks:
  - name: fetch
    action: core.echo
    next: [check, audit]
  - name: check
    action: core.echo
    with-items: {range: 3}
    next:
      - {when: "{{ failed() }}", do: [fetch, fail]}
      - {when: "{{ succeeded() and result()[0] == 'ok' }}", do: end}
  - name: audit
    action: core.noop
    when: "{{ 1 < 2 }}"
    next: end
  - name: end
    action: core.noop
    join: all
finally:
  - {name: close, action: core.noop}
  - {name: report, action: core.noop}
"""
MERMAID = """\
flowchart TD
    start(["start"])
    t0["fetch"]
    t1[["check × items"]]
    t2["audit<br>when 1 #60; 2"]
    t3["end<br>join all"]
    fail(("fail"))
    start --> t0
    t0 --> t1
    t0 --> t2
    t1 -->|"failed()"| t0
    t1 -->|"succeeded() and result()[0] == 'ok'"| t3
    t1 -->|"failed()"| fail
    t2 --> t3
    subgraph ending_finally["finally"]
        t4["close"]
        t5["report"]
        t4 --> t5
    end
"""
DOT = """\
digraph workflow {
    start [shape=oval, label="start"];
    t0 [shape=box, label="fetch"];
    t1 [shape=box3d, label="check × items"];
    t2 [shape=box, label="audit\\nwhen 1 < 2"];
    t3 [shape=box, label="end\\njoin all"];
    fail [shape=octagon, label="fail"];
    start -> t0;
    t0 -> t1;
    t0 -> t2;
    t1 -> t0 [label="failed()"];
    t1 -> t3 [label="succeeded() and result()[0] == 'ok'"];
    t1 -> fail [label="failed()"];
    t2 -> t3;
    subgraph cluster_finally {
        label="finally";
        t4 [shape=box, label="close"];
        t5 [shape=box, label="report"];
        t4 -> t5;
    }
}
"""


@pytest.mark.parametrize(("options", "drawn"), [((), MERMAID), (("--format", "dot"), DOT)])
def test_a_drawing_shows_tasks_fan_outs_conditions_joins_fail_and_finally(
    fanwise, write, options, drawn: str
):
    """An arrow has its condition; the start is drawn where a loop leads back to it."""
    write(**{"flow.yaml": FLOW})
    told = fanwise("graph", "flow.yaml", *options)
    assert (told.status, told.err) == (0, "")
    assert told.out == drawn


def test_a_drawing_in_svg_has_every_task(fanwise, write):
    """With its conditions, in a file of its own."""
    write(**{"flow.yaml": FLOW})
    told = fanwise("graph", "flow.yaml", "--format", "svg")
    assert (told.status, told.err) == (0, "")
    texts = [each.text for each in ElementTree.fromstring(told.out).iter() if each.text]
    for text in ("check × items", "when 1 < 2", "failed()", "fail", "finally", "report"):
        assert text in texts


def test_a_run_is_drawn_with_the_state_of_its_tasks(fanwise, write, folder: Path):
    """As its workflow was when it ran."""
    flow = """\
tasks:
  - {name: one, action: core.noop}
  - {name: two, action: core.fail, with-items: {range: 3}, input: {message: no}}
  - {name: three, action: core.noop}
"""
    write(**{"flow.yaml": flow})
    assert fanwise("run", "flow.yaml", "--run-id", "r1").status == 1
    (folder / "flow.yaml").unlink()
    told = fanwise("graph", "--run", "r1", "--format", "svg")
    assert (told.status, told.err) == (0, "")
    drawn = ElementTree.fromstring(told.out)
    assert drawn[0].text == "flow, run r1: failed"
    texts = [each.text or "" for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert [text.partition(", ")[0] for text in texts if "ed" in text] == [
        "succeeded",
        "failed",
        "blocked",
    ]
    assert any(text.startswith("failed, 3 items, 3 failed, ") for text in texts)
    assert 't1[["two × items"]]' in fanwise("graph", "--run", "r1").out


@pytest.mark.parametrize("arguments", [(), ("flow.yaml", "--run", "r1")])
def test_a_workflow_or_a_run_is_drawn(fanwise, write, arguments: tuple[str, ...]):
    """Neither nothing nor both."""
    write(**{"flow.yaml": FLOW})
    told = fanwise("graph", *arguments)
    assert (told.status, told.out) == (2, "")
    assert told.err == "fanwise graph draws one workflow. Give either a FILE or --run RUN.\n"


def test_a_chain_needs_neither_start_nor_joins(fanwise, write):
    """Tasks in the order listed are drawn as they stand."""
    write(**{"flow.yaml": "tasks: [{name: a, action: x.y}, {name: b, action: x.z}]\n"})
    told = fanwise("graph", "flow.yaml")
    assert told.out == 'flowchart TD\n    t0["a"]\n    t1["b"]\n    t0 --> t1\n'


@pytest.mark.parametrize(
    ("order", "line"),
    [("join: 2", "join 2"), ("join: all", "join all"), ("", None)],
)
def test_a_join_is_told_where_ways_meet(fanwise, write, order: str, line: str | None):
    """`needs` of several tasks joins all of them."""
    starts = [f"  - {{name: {name}, action: x.y, needs: [], next: last}}\n" for name in "abc"]
    write(**{"flow.yaml": f"tasks:\n{''.join(starts)}  - {{name: last, action: x.y, {order}}}\n"})
    label = f'"last<br>{line}"' if line else '"last"'
    assert f"t3[{label}]" in fanwise("graph", "flow.yaml").out
    needs = "tasks:\n  - {name: a, action: x.y}\n  - {name: b, action: x.y, needs: []}\n"
    write(**{"flow.yaml": f"{needs}  - {{name: c, action: x.y, needs: [a, b]}}\n"})
    assert 't2["c<br>join all"]' in fanwise("graph", "flow.yaml").out


def test_drawing_runs_none_of_the_workflows_code(fanwise, write, folder: Path):
    """Neither its actions nor its packs are imported."""
    write(**{"flow.yaml": FLOW, "actions.py": "open('ran', 'w').close()\n"})
    assert fanwise("graph", "flow.yaml").status == 0
    assert not (folder / "ran").exists()


def test_what_cannot_be_drawn_is_told_as_by_validate(fanwise, write):
    """Every problem is a line on standard error, and nothing is drawn."""
    write(**{"bad.yaml": "tasks:\n  - {name: a, action: x.y, needs: b}\n"})
    told = fanwise("graph", "bad.yaml")
    assert (told.status, told.out) == (2, "")
    assert told.err == fanwise("validate", "bad.yaml", "--no-import").out


def test_a_condition_is_one_short_line_without_control_characters(fanwise, write):
    """Whatever the workflow's author wrote; a label that says it all would hide the graph."""
    condition = "vars.a == '\\e[31m' or vars.b == 'line\\n 2' or vars.c or vars.d or vars.e"
    write(
        **{
            "flow.yaml": "vars: {a: 1, b: 2, c: 3, d: 4, e: 5}\ntasks:\n"
            f'  - {{name: a, action: x.y, next: {{when: "{{{{ {condition} }}}}", do: b}}}}\n'
            "  - {name: b, action: x.y}\n"
        }
    )
    drawn = fanwise("graph", "flow.yaml", "--format", "dot").out
    found = re.search(r'label="(vars\.a.*)"', drawn)
    assert found is not None
    assert len(found[1]) == 40
    assert found[1].endswith("...")
    assert "\x1b" not in drawn


def test_long_conditions_of_a_task_areshort_forms(fanwise, write):
    """Those that begin alike are cut at their beginning, where they differ."""
    begin = "succeeded() and result().json.state == "
    ends = ["'ready' and vars.a", "'ready' and vars.b", "'failed'"]
    ways = ", ".join(f'{{when: "{{{{ {begin}{end} }}}}", do: b}}' for end in ends)
    write(
        **{
            "flow.yaml": "vars: {a: 1, b: 2}\ntasks:\n"
            f"  - {{name: a, action: x.y, next: [{ways}]}}\n"
            "  - {name: b, action: x.y}\n"
        }
    )
    drawn = fanwise("graph", "flow.yaml", "--format", "dot").out
    assert re.findall(r'label="([^"]*)"\];', drawn)[2:] == [
        "...'ready' and vars.a",
        "...'ready' and vars.b",
        "...'failed'",
    ]


@given(st.sets(st.text("ab ", max_size=90).map(lambda text: " ".join(text.split())), max_size=8))
def test_conditions_that_differ_never_look_alike(texts: set[str]):
    """However long a beginning they share."""
    shown = short_forms(texts)
    assert shown.keys() == texts
    assert len(set(shown.values())) == len(texts)


def test_conditions_that_end_alike_are_told_in_full():
    """Where no short form is its own."""
    texts = [f"{begin * 50} {end}" for begin in "ab" for end in "cd"]
    assert short_forms(texts) == {text: text for text in texts}


hostile = st.text(
    st.one_of(
        st.characters(exclude_categories=["C", "Zl", "Zp"]),
        st.sampled_from('"\\|[](){}<>&#;%`-=:\n'),
    ),
    max_size=30,
).map(lambda text: " ".join(text.split()))


def picture(text: str) -> Picture:
    """A picture in which every text that a workflow's author writes is `text`."""
    nodes = (Node("t0", Shape.TASK, (text, text)), Node("t1", Shape.FAN_OUT, (text,)))
    ending = Ending("finally", (Node("t2", Shape.FAIL, (text,)),))
    return Picture(nodes, (Arrow("t0", "t1", text),), (ending,))


DOT_NODE = re.compile(r'\s+(t\d) \[shape=\w+, label="((?:[^"\\]|\\.)*)"\];')
DOT_ARROW = re.compile(r'\s+t0 -> t1(?: \[label="((?:[^"\\]|\\.)*)"\])?;')


@settings(deadline=None)
@given(hostile)
def test_no_text_breaks_out_of_its_label_in_dot(text: str):
    """Each label is one quoted text, and Graphviz reads from it what was written."""
    first, one, other, arrow, cluster, label, cleanup, *ends = dot_lines(picture(text))
    assert (first, ends) == ("digraph workflow {", ["    }", "}"])
    assert (cluster.strip(), label.strip()) == (
        "subgraph cluster_finally {",
        'label="finally";',
    )
    read = [found[2] for line in (one, other, cleanup) if (found := DOT_NODE.fullmatch(line))]
    drawn = DOT_ARROW.fullmatch(arrow)
    assert drawn is not None
    assert [*map(graphviz_text, read), graphviz_text(drawn[1] or "")] == [
        *(f"{text}\n{text}", text, text),
        text,
    ]


def graphviz_text(quoted: str) -> str:
    """What Graphviz shows of a quoted label."""
    unescaped = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], quoted)
    return html.unescape(unescaped)


@settings(deadline=None)
@given(hostile)
def test_no_text_breaks_out_of_its_label_in_mermaid(text: str):
    """Labels hold letters, digits and harmless signs; the rest are entities of the same text."""
    label = r'"((?:[^\W_]|[ _.,!?=+\-/\'()\[\]×]|#\d+;|<br>)*)"'
    first, one, other, arrow, group, cleanup, end = mermaid_lines(picture(text))
    assert (first, group.strip(), end.strip()) == (
        "flowchart TD",
        'subgraph ending_finally["finally"]',
        "end",
    )
    shapes = (rf"t0\[{label}\]", rf"t1\[\[{label}\]\]", rf"t2\(\({label}\)\)")
    found = [
        re.fullmatch(rf"\s+{shape}", line)
        for shape, line in zip(shapes, (one, other, cleanup), strict=True)
    ]
    found.append(re.fullmatch(rf"\s+t0 -->(?:\|{label}\|)? t1", arrow))
    assert [mermaid_text(each[1] or "") for each in found if each] == [
        f"{text}\n{text}",
        text,
        text,
        text,
    ]


def mermaid_text(label: str) -> str:
    """What Mermaid shows of a label."""
    lines = label.replace("<br>", "\n")
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), lines)


def test_the_schema_takes_workflows_and_refuses_what_is_none(fanwise):
    """It is JSON Schema, as editors read it."""
    told = fanwise("schema")
    schema = json.loads(told.out)
    check = jsonschema.Draft202012Validator(schema)
    task = {"name": "a", "action": "core.noop"}
    assert told.status == 0
    assert check.is_valid({"tasks": [task]})
    assert not check.is_valid({"tasks": [task | {"acton": "core.noop"}]})
