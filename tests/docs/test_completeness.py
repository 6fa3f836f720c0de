"""The reference pages leave nothing out, and name nothing that isn't there."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from pages import ROOT, prose, sections

import fanwise
from fanwise import errors, testing
from fanwise.actions.core import give_up
from fanwise.cli.app import app
from fanwise.context import TRIGGER_KEYS
from fanwise.definition import (
    CODES,
    ConcurrencyDefinition,
    DedupeDefinition,
    ParameterDefinition,
    RetryDefinition,
    TaskDefinition,
    TransitionDefinition,
    WorkflowDefinition,
    trigger_schema,
)
from fanwise.expressions.calls import OUTCOMES
from fanwise.expressions.functions import FILTERS, FUNCTIONS, METHOD_NAMES, TESTS
from fanwise.expressions.references import ROOTS
from fanwise.model import (
    ItemOutcome,
    Limits,
    LogEntry,
    RecordedEvent,
    RunRecord,
    Sleep,
    Status,
    VisitRecord,
    Wait,
    WaitKind,
    WaitState,
)
from fanwise.packs.folders import load_actions
from fanwise.plan import checks
from fanwise.reports.records import record_object

DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "fanwise"


def section(page: str, title: str) -> str:
    """The prose of a section."""
    return next(prose(each) for each in sections(ROOT / page) if each.title == title)


def first_cells(text: str) -> list[str]:
    """What stands in backquotes in the first column of the tables in a text."""
    return re.findall(r"^\| `([^`]+)` ", text, flags=re.MULTILINE)


def in_backquotes(text: str) -> set[str]:
    """All that stands in backquotes in a text."""
    return set(re.findall(r"`([^`]+)`", text))


@pytest.mark.parametrize(
    ("page", "title", "model"),
    [
        ("docs/language.md", "A workflow", WorkflowDefinition),
        ("docs/language.md", "Runs at a time", ConcurrencyDefinition),
        ("docs/language.md", "Repeats", DedupeDefinition),
        ("docs/language.md", "Parameters", ParameterDefinition),
        ("docs/language.md", "Tasks", TaskDefinition),
        ("docs/order.md", "Transitions", TransitionDefinition),
        ("docs/items.md", "Retry", RetryDefinition),
        ("docs/triggers.md", "Keys of a trigger", trigger_schema.TriggerDefinition),
        ("docs/triggers.md", "Schedules", trigger_schema.ScheduleDefinition),
        ("docs/triggers.md", "Webhooks", trigger_schema.WebhookDefinition),
        ("docs/triggers.md", "Signatures", trigger_schema.HmacDefinition),
        ("docs/triggers.md", "Files", trigger_schema.FileDefinition),
        ("docs/triggers.md", "Events", trigger_schema.EventDefinition),
        ("docs/triggers.md", "Batches", trigger_schema.BatchDefinition),
        ("docs/triggers.md", "Runs", trigger_schema.RunTriggerDefinition),
        ("docs/triggers.md", "Missing", trigger_schema.MissingDefinition),
        ("docs/triggers.md", "The same twice", trigger_schema.FireDedupeDefinition),
    ],
)
def test_every_key_of_the_language_has_its_row(page: str, title: str, model: type[Any]) -> None:
    """The tables of keys are those of the schema, in its order."""
    assert first_cells(section(page, title)) == model.keys()


def test_every_fact_of_a_trigger_is_told() -> None:
    """The table has all parts of `trigger`."""
    text = section("docs/triggers.md", "What templates see")
    assert {f"trigger.{key}" for key in TRIGGER_KEYS} <= in_backquotes(text)


def test_every_limit_has_its_row() -> None:
    """The table of limits has each with its variable and its default."""
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \| ([\d,]+)(?: (\w+))? \|",
        section("docs/language.md", "Limits"),
        flags=re.MULTILINE,
    )
    units = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    told = {
        name: (variable, int(number.replace(",", "")) * units[unit])
        for name, variable, number, unit in rows
    }
    limits = Limits()
    assert told == {
        name: (f"FANWISE_LIMIT_{name.upper()}", getattr(limits, name))
        for name in Limits.__struct_fields__
    }


def test_every_name_that_templates_have_is_told() -> None:
    """Names, filters, tests, functions and methods are all there, and no others."""
    text = section("docs/templates.md", "Templates")
    told = {name.partition("(")[0].partition(".")[0] for name in in_backquotes(text)}
    for names in (FILTERS, TESTS, FUNCTIONS, OUTCOMES, METHOD_NAMES, ROOTS):
        assert set(names) <= told
    for title, names in (("Filters", FILTERS), ("Tests", TESTS)):
        listed = re.search(rf"\*\*{title}\*\*.*?:\s(.*?)\n\n", text, flags=re.DOTALL)
        assert listed is not None
        assert in_backquotes(listed[1]) == set(names)


def test_every_code_of_a_problem_is_explained() -> None:
    """The table has each code once, sorted."""
    told = first_cells(section("docs/errors.md", "Codes of problems with a workflow"))
    assert told == sorted({**CODES, **checks.CODES})


def test_every_class_of_errors_is_explained() -> None:
    """The table has each class with its code."""
    text = section("docs/errors.md", "Codes of errors")
    told = re.findall(r"^\| `([a-z-]+)` \| `(\w+)` ", text, flags=re.MULTILINE)
    classes = [
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, fanwise.FanwiseError)
    ]
    assert sorted(told) == sorted((each.code, each.__name__) for each in classes)


def test_every_type_of_an_error_is_explained() -> None:
    """What workflows can see as `error().type` is in the tables, and nothing else."""
    told = first_cells(section("docs/errors.md", "Types of errors"))
    types = {each.type for each in vars(errors).values() if hasattr(each, "type")}
    for function in (fanwise.ActionError, give_up):
        types.add(inspect.signature(function).parameters["type"].default)
    for part in ("actions", "conductor", "engine", "executors", "sources", "stores"):
        for file in (SOURCE / part).rglob("*.py"):
            types.update(error_types(ast.parse(file.read_text())))
    assert sorted(told) == sorted(types)


def error_types(tree: ast.AST) -> Iterator[str]:
    """The error types that code names: as `type`, as the kind, or as a maker's first argument."""
    makers = {"ErrorInfo", "source_error", "_failure", "_fault", "_unreadable"}
    for node in ast.walk(tree):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "type"]
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            given += node.args[:1] if name in makers else []
        elif isinstance(node, ast.Assign):
            target = ast.unparse(node.targets[0])
            if target == "type":
                given = [node.value]
            elif target.startswith(("(kind, ", "(error.type, ")):
                assert isinstance(node.value, ast.Tuple)
                given = node.value.elts[:1]
        for text in given:
            if isinstance(text, ast.Constant):
                yield str(text.value)


def test_every_action_of_the_core_pack_is_told() -> None:
    """The table has each action once, sorted."""
    told = first_cells(section("docs/actions.md", "The core pack"))
    assert told == list(load_actions().names())


def test_everything_that_an_action_may_know_is_told() -> None:
    """The table of `ActionContext` has all of its fields."""
    text = section("docs/actions.md", "What an action may know")
    assert {*fanwise.ActionContext.__struct_fields__, "stopping"} <= in_backquotes(text)


def test_every_command_is_told() -> None:
    """The README lists each command with what it does."""
    text = (ROOT / "README.md").read_text()
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"`fanwise {command.callback.__name__}" in text


def test_every_command_of_a_group_is_told() -> None:
    """The README lists each as well, with the name of its group before it."""
    text = (ROOT / "README.md").read_text()
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            assert f"`fanwise {group.name} {name}" in text


def test_every_key_of_an_export_is_told() -> None:
    """The table has each kind of line with its keys, in their order."""
    text = section("docs/operations.md", "Exporting a run")
    told = {
        kind: re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", keys))
        for kind, keys in re.findall(r"^\| `(\w+)` \| (.*) \|$", text, flags=re.MULTILINE)
    }
    records = [
        RunRecord(1, "a", "a", "", "", b"{}", Status.PENDING, 0.0),
        VisitRecord(1, 1, "a", 1, Status.PENDING),
        RecordedEvent(1, 1, "A", b"{}"),
        ItemOutcome(1, 1, 0, Status.FAILED, 1, 0.0, 0.0),
        LogEntry(1, 1, None, 1, "a", 0.0, ""),
        Sleep(1, "a", 1, 0.0),
        Wait(
            waits_for=WaitKind.QUESTION,
            run_no=1,
            path="a",
            turn=1,
            state=WaitState.OPEN,
            opened_at=0.0,
        ),
    ]
    lines = [record_object(record) for record in records]
    assert told == {line["kind"]: [*line][1:] for line in lines}


def test_every_option_of_prune_is_told() -> None:
    """The table has each but those that many commands take."""
    told = {
        cell.split()[0] for cell in first_cells(section("docs/operations.md", "Deleting old runs"))
    }
    command = typer.main.get_command(app).commands["prune"]  # type: ignore[attr-defined]
    options = {each.opts[0] for each in command.params if each.opts[0].startswith("--")}
    assert told == options - {"--store", "--json", "--help"}


def test_every_option_of_each_command_has_its_row() -> None:
    """cli.md has a section for each command, with its arguments and options in their order."""
    told = {
        each.title: [cell.split()[0] for cell in first_cells(each.text)]
        for each in sections(DOCS / "cli.md")
        if each.title.startswith("fanwise ")
    }
    assert told == dict(parameters(typer.main.get_command(app), "fanwise"))


def parameters(command: Any, name: str) -> Iterator[tuple[str, list[str]]]:
    """What each command takes, also those within groups: options, and arguments by metavar."""
    for each, inner in getattr(command, "commands", {}).items():
        yield from parameters(inner, f"{name} {each}")
    if not hasattr(command, "commands") or (command.invoke_without_command and name != "fanwise"):
        yield (
            name,
            [
                param.opts[0] if param.param_type_name == "option" else param.metavar
                for param in command.params
            ],
        )


def test_every_public_name_is_told() -> None:
    """What `import fanwise` gives is explained somewhere."""
    text = "".join(page.read_text() for page in [ROOT / "README.md", *DOCS.glob("*.md")])
    assert set(fanwise.__all__) <= set(re.findall(r"\bfanwise\.(\w+)", text))


PUBLIC_MODULES = ["fanwise", "fanwise.errors", "fanwise.ports", "fanwise.testing"]


def test_the_python_page_is_made_of_signatures_and_docstrings() -> None:
    """It has each public name, and no other; `python tools/python_reference.py` renews it."""
    source = ROOT / "tools" / "python_reference.py"
    reference = runpy.run_path(str(source))
    assert sorted(reference["names"]()) == sorted(fanwise.__all__)
    page = reference["PAGE"].read_text()
    assert (
        page.partition(reference["HEADING"])[2]
        == reference["render"]().partition(reference["HEADING"])[2]
    )
    for module in PUBLIC_MODULES[1:]:
        assert f"`{module}`" in page


def test_all_that_a_rehearsal_takes_and_gives_is_told() -> None:
    """The page on testing has all arguments, attributes and names of `fanwise.testing`."""
    page, outcome = "docs/testing.md", section("docs/testing.md", "What came of it")
    arguments = list(inspect.signature(testing.rehearse).parameters)
    assert first_cells(section(page, "Arguments")) == arguments[2:]  # those that have names
    rows = re.findall(r"^\| ([^|]+) \|", outcome, flags=re.MULTILINE)
    attributes = [name for name in dir(testing.Outcome) if not name.startswith("_")]
    assert sorted(in_backquotes(" ".join(rows))) == sorted(attributes)
    for record in (testing.Attempt, testing.RehearsedItem, testing.RehearsedTask):
        assert set(record.__struct_fields__) <= in_backquotes(outcome)
    for name in testing.__all__:
        assert re.search(rf"\b{name}\b", (ROOT / page).read_text()), name


def test_every_part_of_the_tree_is_on_the_map() -> None:
    """The map in architecture.md has each module and package, and nothing else."""
    page = (DOCS / "architecture.md").read_text()
    drawn = re.search(r"^```\nsrc/fanwise/\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert drawn is not None
    told = set(re.findall(r"^ {2}(\w+(?:\.py|/))", drawn[1], flags=re.MULTILINE))
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in SOURCE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert told == there
    named = re.findall(r"\w+\.py\b", drawn[1])
    assert {name for name in named if not any(SOURCE.rglob(name))} == set()


def test_every_test_that_is_named_exists() -> None:
    """The architecture page names tests by which the invariants are held."""
    files = [*(ROOT / "tests").rglob("test_*.py"), *(SOURCE / "testing").glob("*_contract.py")]
    tests = "".join(file.read_text() for file in files)
    for name in re.findall(r"`(test_\w+)`", (DOCS / "architecture.md").read_text()):
        assert f"def {name}(" in tests, name
