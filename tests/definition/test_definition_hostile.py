"""No text whatever does worse than give a clean error."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.definition import CODES, WorkflowDefinition, load
from fanwise.definition.yaml import composer
from fanwise.errors import DefinitionError

EXAMPLES = [
    Path(__file__).with_name(name).read_text().splitlines()
    for name in ("monitor.yaml", "order.yaml")
]


@pytest.fixture(params=[yaml.CSafeLoader, yaml.SafeLoader], ids=["libyaml", "pure Python"])
def either_parser(request, monkeypatch):
    monkeypatch.setattr(composer, "_LOADER", request.param)


def first_code(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        load(text, file="f")
    return caught.value.problems[-1].code


@pytest.mark.usefixtures("either_parser")
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "tasks: " + "[" * 100_000,
        "{" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "\n".join(" " * level + "a:" for level in range(300)),
        "\n".join(" " * level + "-" for level in range(300)),
    ],
    ids=[
        "lists",
        "lists in a map",
        "braces",
        "maps",
        "dashes",
        "keys",
        "indented maps",
        "indented lists",
    ],
)
def test_deep_nesting_is_one_error(text):
    """However deep a file is nested, reading stops at the bound instead of crashing."""
    assert first_code(text) == "too-deep"


@pytest.mark.usefixtures("either_parser")
def test_aliases_can_not_explode():
    """Aliases of aliases are counted as if written out, before anything is built."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]

    assert first_code("\n".join(lines)) == "too-many-nodes"


def test_aliases_can_not_nest_beyond_the_bound():
    """The depth of an alias is that of what it stands for."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200))]

    assert first_code("\n".join(lines)) == "too-deep"


def test_a_large_workflow_is_no_problem():
    """Ten thousand tasks load; the bounds are for what nobody writes."""
    task = "  - {{name: t{}, action: core.echo, input: {{message: '{{{{ item }}}}'}}}}\n"

    workflow = load("tasks:\n" + "".join(map(task.format, range(10_000))), file="f")

    assert len(workflow.tasks) == 10_000


def test_a_wide_and_deep_order_is_no_problem():
    """A hundred layers of a hundred tasks, and one task that needs five thousand, load."""
    layers = [
        f"  - {{name: t{layer}_{place}"
        + (f", needs: [t{layer - 1}_{place}, t{layer - 1}_{(place + 1) % 100}]" if layer else "")
        + "}"
        for layer in range(100)
        for place in range(100)
    ]
    needs = ", ".join(f"t{layer}_{place}" for layer in range(50) for place in range(100))
    last = f"  - {{name: last, needs: [{needs}]}}"

    workflow = load("\n".join(["tasks:", *layers, last]), file="f")

    assert workflow.tasks[-2].needs == ("t98_99", "t98_0")
    assert len(workflow.tasks[-1].needs) == 5_000


def line_count(text: str | bytes) -> int:
    """Lines as YAML counts them."""
    if isinstance(text, bytes):
        text = text.decode(errors="ignore")
    return 1 + sum(map(text.count, "\n\r\x85\u2028\u2029"))


def outcome(text: str | bytes) -> WorkflowDefinition | DefinitionError:
    try:
        return load(text, file="f.yaml")
    except DefinitionError as error:
        return error


def check_outcome(text: str | bytes) -> None:
    """A definition, or problems that are all well told; nothing else."""
    found = outcome(text)
    if isinstance(found, WorkflowDefinition):
        assert found.tasks
        return
    assert found.problems
    for place, code, message, _ in found.problems:
        assert place.file == "f.yaml"
        assert 1 <= place.line <= line_count(text)
        assert place.column >= 1
        assert code in CODES
        assert message
    assert len(str(found).splitlines()) == len(found.problems)
    assert list(found.problems) == sorted(found.problems, key=lambda problem: problem.place)


@settings(deadline=None)
@given(st.text() | st.binary())
def test_any_text_gives_a_definition_or_problems(text):
    """Random text and bytes never raise anything but `DefinitionError`."""
    check_outcome(text)


WORDS = """
    name tasks action input with-items with_items retry count when publish vars parameters type
    default secret required workflow label tolerate range jsonl fail true null 5 -1 .nan 5% 1h a
    needs next do join finally all rate batch-size max_visits until
    {{ }} {% {# { } [ ] : - , ' " & * ! !!int <<: ? | > # % @ \\ é
"""
words = st.sampled_from(
    [*WORDS.split(), "\t", "\n", "\n  ", "\n  - ", ": ", "- ", " ", "&a ", "*a", '"\\u2028": ']
)


@settings(deadline=None, max_examples=400)
@given(st.lists(words, max_size=30).map("".join))
def test_any_mix_of_the_languages_words_gives_a_definition_or_problems(text):
    """What looks almost like a workflow is told about as cleanly."""
    check_outcome(text)


@st.composite
def mutations(draw):
    lines = list(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        column = draw(st.integers(0, len(lines[at])))
        line = lines[at]
        lines[at : at + 1] = draw(
            st.sampled_from(
                [
                    [],
                    [line, line],
                    [" " + line],
                    [line[:column] + line[column + 1 :]],
                    [line[:column]],
                    [line[:column], line[column:]],
                    [lines[draw(st.integers(0, len(lines) - 1))]],
                    [line[:column] + draw(words | st.characters()) + line[column:]],
                ]
            )
        )
        if not lines:
            return ""
    return "\n".join(lines)


@settings(deadline=None, max_examples=400)
@given(mutations())
def test_any_slip_in_a_good_workflow_gives_a_definition_or_problems(text):
    """Lines and letters lost, doubled, moved or put in never raise anything else."""
    check_outcome(text)


KEYS = """
    name description parameters vars timeout tasks output workflow
    tasks.name tasks.action tasks.input tasks.with-items tasks.retry tasks.publish tasks.when
    parameters.type parameters.default parameters.secret retry.count retry.until retry.x
    tasks.needs tasks.next tasks.join tasks.max-visits tasks.rate tasks.batch-size
    next.when next.publish next.do next.x finally finally.name finally.needs finally.next
"""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "tasks", "retry", "next", "do", "type", "[key]", "a_b"]), inner
        )
    ),
)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(KEYS.split()),
    json_values,
)
def test_any_value_under_any_key_gives_a_definition_or_problems(key, value):
    """Values of the wrong kind are told about wherever they stand."""
    whole: dict[str, object] = {"tasks": [{"name": "t"}]}
    owner, _, inner = key.rpartition(".")
    if owner == "retry":
        whole["tasks"] = [{"name": "t", "retry": {"count": 1, inner: value}}]
    elif owner == "next":
        whole["tasks"] = [{"name": "t", "next": [{inner: value}]}]
    elif owner == "finally":
        whole["finally"] = [{"name": "u", inner: value}]
    elif owner == "tasks":
        whole["tasks"] = [{"name": "t", inner: value}]
    elif owner == "parameters":
        whole["parameters"] = {"p": {inner: value}}
    else:
        whole[inner] = value
    check_outcome(yaml.safe_dump(whole, allow_unicode=True))
