"""`fanwise run --tag` and `fanwise runs`: giving runs tags, and finding runs."""

from __future__ import annotations

import json
import shlex
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import fanwise as library
from fanwise.cli.commands.runs import read_since
from fanwise.errors import UsageError


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A folder with two workflows and a store of three runs."""
    folder = tmp_path_factory.mktemp("runs")
    good, bad = folder / "good.yaml", folder / "bad.yaml"
    good.write_text("tasks: [{name: a, action: core.noop}]\n")
    bad.write_text("tasks: [{name: a, action: core.fail, input: {message: no}}]\n")
    store = str(folder / "runs.db")
    library.run(good, store=store, run_id="one", tags=["team=a:1/x", "nightly"])
    library.run(bad, store=store, run_id="two", tags=["nightly"])
    library.run(good, store=store, run_id="three")
    return folder


@pytest.fixture
def fanwise(recorded, folder, fanwise):
    """The command line where these runs are recorded."""
    shutil.copytree(recorded, folder, dirs_exist_ok=True)
    return fanwise


def found(fanwise, *options: str) -> list[str]:
    told = fanwise("runs", "--json", *options)
    assert told.status == 0
    return [json.loads(line)["run_id"] for line in told.out.splitlines()]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], ["three", "two", "one"]),
        (["--status", "failed"], ["two"]),
        (["--workflow", "good"], ["three", "one"]),
        (["--tag", "nightly"], ["two", "one"]),
        (["--tag", "nightly", "--tag", "team=a:1/x"], ["one"]),
        (["--tag", "night"], []),
        (["--since", "1h"], ["three", "two", "one"]),
        (["--since", "2999-01-01"], []),
        (["--before", "three"], ["two", "one"]),
        (["--workflow", "good", "--status", "succeeded", "--tag", "nightly"], ["one"]),
    ],
)
def test_runs_are_found_by_what_is_true_of_them(fanwise, options: list[str], ids: list[str]):
    """Each option leaves fewer; several of them work together."""
    assert found(fanwise, *options) == ids


def test_the_last_line_leads_to_the_next_page(fanwise):
    """It is a command with the same options, and the last page has no such line."""
    line, shown = "fanwise runs --tag nightly --since 1h --limit 1", []
    while line:
        rows = fanwise(*shlex.split(line)[1:]).out.splitlines()
        shown.append(rows[1].split()[0])
        assert len(shown) <= 2
        line = rows[-1].removeprefix("More: ") if rows[-1].startswith("More: ") else ""
    assert shown == ["two", "one"]


def test_tags_are_shown_where_runs_are(fanwise):
    """In the list, by `fanwise show`, and as JSON: sorted, each once."""
    fanwise("run", "good.yaml", "--run-id", "four", "--tag", "b", "--tag", "a", "--tag", "b")
    assert fanwise("runs", "--limit", "1").out.splitlines()[1].endswith("  a b")
    assert "Tags: a b\n" in fanwise("show", "four").out
    assert json.loads(fanwise("show", "four", "--json").out)["tags"] == ["a", "b"]
    assert json.loads(fanwise("runs", "--json", "--limit", "1").out)["tags"] == ["a", "b"]


@pytest.mark.parametrize("tag", ["", "a b", "ü", "x" * 101, "a,b"])
def test_a_malformed_tag_is_one_line_and_makes_no_run(fanwise, tag: str):
    """It says what tags are."""
    told = fanwise("run", "good.yaml", "--tag", tag)
    assert told.status == 2
    assert told.err.count("\n") == 1
    assert "tags are letters, digits" in told.err
    assert len(found(fanwise)) == 3


def test_a_run_has_at_most_twenty_tags(fanwise):
    """One more is refused."""
    tags = [word for number in range(21) for word in ("--tag", f"t{number}")]
    assert fanwise("run", "good.yaml", *tags[:-2]).status == 0
    assert "at most 20 tags, not 21" in fanwise("run", "good.yaml", *tags).err


def test_a_run_from_python_takes_tags(fanwise, folder):
    """As a collection of words; a sole text is one word and not its letters."""
    library.run(folder / "good.yaml", run_id="py", tags=["x", "y"])
    library.run(folder / "good.yaml", run_id="text", tags="word")
    assert found(fanwise, "--tag", "x", "--tag", "y") == ["py"]
    assert found(fanwise, "--tag", "word") == ["text"]


NOW = datetime(2026, 3, 5, 12, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-03-05T08:30+01:00", datetime.fromisoformat("2026-03-05T08:30+01:00")),
        ("2026-03-05", datetime(2026, 3, 5)),
        ("2026-03-05 08:30", datetime(2026, 3, 5, 8, 30)),
    ],
)
def test_since_takes_a_span_or_a_time(text: str, at: datetime):
    """A time without a zone is the reader's own."""
    assert read_since(text, NOW) == at.timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01", "-2h", "2h ago"])
def test_what_is_no_time_is_one_line(fanwise, text: str):
    """With what to write instead."""
    with pytest.raises(UsageError, match="no time for --since") as caught:
        read_since(text, NOW)
    assert "2026-03-05" in str(caught.value)
    assert fanwise("runs", "--since", text).status == 2


def test_no_runs_is_said(fanwise):
    """For people; for programs there is nothing."""
    assert fanwise("runs", "--status", "paused").out == "No runs.\n"
    assert fanwise("runs", "--status", "paused", "--json").out == ""


def test_before_the_first_run_there_are_none(fanwise, monkeypatch: pytest.MonkeyPatch):
    """Though there is no store yet; a store that the command line names has to be there."""
    monkeypatch.setenv("FANWISE_STORE", "new.db")
    assert fanwise("runs") == (0, "No runs yet.\n", "")
    assert fanwise("runs", "--json") == (0, "", "")
    assert fanwise("runs", "--store", "new.db").status == 2
    assert not Path("new.db").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["asks"], "No run waits for an answer or a signal.\n"),
        (["asks", "--links", "--public-url", "http://localhost:1"], "No run asks anything.\n"),
        (["engines"], "No engines.\n"),
        (["limits"], "No limits in use.\n"),
        (["kv", "list"], "No keys.\n"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_before_the_first_run_lists_are_empty(fanwise, monkeypatch, words, told):
    """Though there is no store yet; a store that the command line names has to be there."""
    monkeypatch.setenv("FANWISE_STORE", "new.db")
    assert fanwise(*words) == (0, told, "")
    assert fanwise(*words, "--json") == (0, "", "")
    assert fanwise(*words, "--store", "new.db").status == 2
    assert not Path("new.db").exists()
