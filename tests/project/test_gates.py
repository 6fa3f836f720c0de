"""The source keeps to the rules that CONTRIBUTING.md states, or comes closer to them."""

from __future__ import annotations

import re

import pytest
from allowances import allowed, counted, first_words, lexicon
from source import ROOT, imports, modules, rings

MEASURES = ["any", "first-words", "lexicon"]


@pytest.fixture(scope="module")
def counts() -> dict[str, dict[str, int]]:
    """The present counts, read once."""
    return counted()


def test_no_modules_import_each_other_in_a_ring() -> None:
    """Imports inside functions and for types count too: a ring is one piece in several files."""
    found = rings(imports(modules()))
    assert found == []


@pytest.mark.parametrize("measure", MEASURES)
def test_no_folder_has_more_than_its_allowance(
    measure: str, counts: dict[str, dict[str, int]]
) -> None:
    """`Any`, first words and lexicon: the count of each folder can only fall."""
    table = allowed()[measure]
    more = {
        folder: f"{count}, allowed are {table.get(folder, 0)}"
        for folder, count in counts[measure].items()
        if count > table.get(folder, 0)
    }
    places = {"first-words": first_words, "lexicon": lexicon}.get(measure)
    if places is not None:
        shown = [each for module in modules() if module.folder in more for each in places(module)]
        assert not more, "\n".join(shown)
    assert not more


@pytest.mark.parametrize("measure", MEASURES)
def test_an_allowance_is_lowered_with_its_count(
    measure: str, counts: dict[str, dict[str, int]]
) -> None:
    """A table far above the source would let the source get worse; `make allowances` renews it."""
    loose = {
        folder: f"{limit} are allowed, and it has {count}: run `make allowances`"
        for folder, limit in allowed()[measure].items()
        if limit - (count := counts[measure].get(folder, 0)) > max(5, limit // 10)
    }
    assert not loose


def test_a_message_is_a_sentence_where_a_hint_follows() -> None:
    """The two are joined by a blank, so the first ends with a full stop."""
    unended = [
        f"{module.path}:{call.lineno}: {end!r}"
        for module in modules()
        for call, end in module.hinted
        if not end.rstrip().endswith((".", "?"))
    ]
    assert not unended, "\n".join(unended)


FORMER_NAME = "weft"
KNOWS_IT = ("CHANGELOG.md", "src/fanwise/stores/", "tests/stores/", "tests/project/test_gates.py")


def test_the_former_name_stands_only_where_old_stores_are_opened() -> None:
    """No alias, variable or text of it is left elsewhere."""
    word = re.compile(rf"\b{FORMER_NAME}|{FORMER_NAME.upper()}_", re.IGNORECASE)
    assert [path for path in having(word) if not path.startswith(KNOWS_IT)] == []


def test_no_file_has_what_a_merge_has_left_open() -> None:
    """Marks of a conflict are no syntax error in a text."""
    assert having(re.compile(r"^(<{7}|>{7}) \S", re.MULTILINE)) == []


def having(text: re.Pattern[str]) -> list[str]:
    """The paths of the project's own files in which a text is found."""
    folders = ["src", "tests", "benchmarks", "docs", "examples", "tools", ".ci"]
    paths = [*ROOT.glob("*.*"), *(path for each in folders for path in (ROOT / each).rglob("*"))]
    suffixes = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".jsonl", ".in", ".svg", ".js"}
    return [
        str(path.relative_to(ROOT))
        for path in paths
        if path.suffix in suffixes and text.search(path.read_text())
    ]
